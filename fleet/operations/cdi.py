"""The CDI specification, by which Docker hands single GPUs to containers."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation
from typing_extensions import override

SPEC = "/var/run/cdi/nvidia.yaml"


class CdiIsFresh(FactBase[bool]):
    """Tells whether the specification is there and younger than the driver's library."""

    @override
    @staticmethod
    def default() -> bool:
        return False

    @override
    def command(self) -> str:
        return (
            f'[ -s {SPEC} ] && [ -z "$(find -L /usr/lib/x86_64-linux-gnu -maxdepth 1 '
            f"-name 'libnvidia-ml.so.1' -newer {SPEC} 2>/dev/null)\" ] && echo fresh || true"
        )

    @override
    def process(self, output: list[str]) -> bool:
        return output == ["fresh"]


@operation()
def cdi_fresh() -> Generator[StringCommand]:
    """Write the specification again when it is missing or older than the driver."""
    if host.get_fact(CdiIsFresh):
        host.noop("the CDI specification is fresh")
        return
    # The unit comes with toolkit 1.18 and writes it at every boot too.
    yield StringCommand(
        "systemctl restart nvidia-cdi-refresh.service ||",
        f"{{ mkdir -p /var/run/cdi && nvidia-ctk cdi generate --output={SPEC}; }}",
    )
