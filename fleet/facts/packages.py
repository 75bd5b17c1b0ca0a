"""Which packages are installed: one dpkg-query for all."""

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from agent.drift.manifest import Package

_FORM = "${Package}|${db:Status-Want}|${db:Status-Status}|${Version}\\n"


class Installed(FactBase[dict[str, Package]]):
    """Maps the installed ones among `names` to their version and hold."""

    @override
    @staticmethod
    def default() -> dict[str, Package]:
        return {}

    @override
    def command(self, names: list[str]) -> StringCommand:
        quoted = (QuoteString(name) for name in names)
        form = QuoteString(_FORM)
        return StringCommand("dpkg-query -W -f", form, *quoted, "2>/dev/null || true")

    @override
    def process(self, output: list[str]) -> dict[str, Package]:
        rows = [line.split("|") for line in output]
        return {
            name: Package(hold=want == "hold", version=version)
            for name, want, status, version in rows
            if status == "installed"
        }
