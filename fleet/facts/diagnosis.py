"""What a host's own doctor finds."""

from pyinfra.api import FactBase
from typing_extensions import override

ABSENT = "no stokerctl"


class Diagnosis(FactBase[str]):
    """Runs the doctor of the host; its exit code says only what the document says too."""

    @override
    @staticmethod
    def default() -> str:
        return ""

    @override
    def command(self) -> str:
        program = "/opt/stoker/venv/bin/stokerctl"
        return (
            f"if [ -x {program} ]; then {program} doctor --json 2>&1 || true; "
            f"else echo '{ABSENT}'; fi"
        )

    @override
    def process(self, output: list[str]) -> str:
        return "\n".join(output)
