"""The state of systemd units: one `systemctl show` for all."""

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

_PROPERTIES = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,DropInPaths"

Units = dict[str, dict[str, str]]


class UnitStates(FactBase[Units]):
    """Maps each of `names` to its properties (systemd's words)."""

    @override
    @staticmethod
    def default() -> Units:
        return {}

    @override
    def command(self, names: list[str]) -> StringCommand:
        quoted = (QuoteString(name) for name in names)
        # The names come back in order; an alias would otherwise come back under another name.
        return StringCommand(
            "for u in", *quoted, f'; do echo "unit=$u"; systemctl show -p {_PROPERTIES} "$u"; done'
        )

    @override
    def process(self, output: list[str]) -> Units:
        found: Units = {}
        current: dict[str, str] = {}
        for line in output:
            key, _, value = line.partition("=")
            if key == "unit":
                current = found.setdefault(value, {})
            elif key:
                current[key] = value
        return found


def is_up(unit: dict[str, str]) -> bool:
    """Tell whether a unit runs, or is on its way up."""
    return unit.get("ActiveState") in {"active", "activating", "reloading"}
