"""systemd units: known, enabled, running, and running with what lies there now."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.drift.manifest import Unit
from fleet import manifest
from fleet.facts.digest import StartedWith
from fleet.facts.units import UnitStates, is_up


@operation()
def unit_known(units: list[str], drop_in: str = "") -> Generator[StringCommand]:
    """Make systemd read its files again when it says that it must.

    systemd 252 does not say so for the first `drop_in` of a unit, so that is looked for.
    """
    manifest.of(host).composed.update(units)
    states = host.get_fact(UnitStates, names=units)
    stale = [
        name
        for name, state in states.items()
        if state.get("NeedDaemonReload") == "yes"
        or state.get("LoadState") == "not-found"
        or drop_in not in state.get("DropInPaths", "")
    ]
    if not stale:
        host.noop("systemd knows the units as they are")
        return
    yield StringCommand("systemctl daemon-reload")


@operation()
def unit_up(unit: str) -> Generator[StringCommand]:
    """Enable and start a unit; one that runs is left alone, whatever it runs with."""
    manifest.of(host).units[unit] = Unit(enabled=True, active=True)
    state = host.get_fact(UnitStates, names=[unit]).get(unit, {})
    if state.get("UnitFileState") != "enabled":
        yield enabling(unit, state)
    if not is_up(state):
        yield started("start", unit)
    if state.get("UnitFileState") == "enabled" and is_up(state):
        host.noop(f"{unit} is enabled and runs")


@operation()
def unit_current(
    unit: str, files: list[str], stamp: str, *, reload: bool = False
) -> Generator[StringCommand]:
    """Make the unit run with what lies in `files`; it noted their digest in `stamp` at its start.

    `reload`: the unit can take up new files without a restart, if it was started with a stamp.
    """
    manifest.of(host).units[unit] = Unit(enabled=True, active=True)
    state = host.get_fact(UnitStates, names=[unit]).get(unit, {})
    digests = host.get_fact(StartedWith, files=files, stamp=stamp)
    enabled, current = state.get("UnitFileState") == "enabled", is_up(state) and digests.equal
    if not enabled:
        yield enabling(unit, state)
    if not current:
        yield started("reload" if reload and is_up(state) and digests.runs else "restart", unit)
    if enabled and current:
        host.noop(f"{unit} runs with what lies there")


def enabling(unit: str, state: dict[str, str]) -> StringCommand:
    """Return the command that has a unit started at every boot, also one that was masked."""
    masked = state.get("UnitFileState", "").startswith("masked")
    runtime = "--runtime " if state.get("UnitFileState") == "masked-runtime" else ""
    first = [f"systemctl unmask {runtime}--", QuoteString(unit), "&&"] if masked else []
    return StringCommand(*first, "systemctl enable", QuoteString(unit))


def started(verb: str, name: str) -> StringCommand:
    """Return a command that starts or reloads a unit, and shows its last words when it fails."""
    unit = QuoteString(name)
    return StringCommand(
        f"systemctl {verb}", unit, "|| { journalctl -q -o cat -n 10 -u", unit, ">&2; exit 1; }"
    )
