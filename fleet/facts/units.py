"""The state of systemd units: one `systemctl show` for all."""

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

_PROPERTIES = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,FragmentPath,DropInPaths"

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
        # The blocks come back in order; an alias would otherwise come back under another name.
        return StringCommand(
            "set --", *quoted, f'; echo "units=$*"; systemctl show -p {_PROPERTIES} "$@"'
        )

    @override
    def process(self, output: list[str]) -> Units:
        first, *rows = output or [""]
        blocks: list[dict[str, str]] = [{}]
        for row in rows:
            key, _, value = row.partition("=")
            if key in blocks[-1]:  # what parts two units is an empty line, which may be left out
                blocks.append({})
            if key:
                blocks[-1][key] = value
        return dict(zip(first.removeprefix("units=").split(), blocks, strict=False))


def made_of(unit: dict[str, str]) -> tuple[str, ...]:
    """Return the files that systemd makes a unit of: the unit itself, and its drop-ins, sorted."""
    own, *drop_ins = unit.get("FragmentPath", ""), *sorted(unit.get("DropInPaths", "").split())
    return (own, *drop_ins)


def is_up(unit: dict[str, str]) -> bool:
    """Tell whether a unit runs, or is on its way up."""
    return unit.get("ActiveState") in {"active", "activating", "reloading"}
