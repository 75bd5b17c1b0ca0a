"""Do the units run that a deploy left running?"""

from collections.abc import Iterator, Sequence

import msgspec

from agent.doctor.finding import Finding, fault, warning
from agent.doctor.seen import Seen
from agent.drift.manifest import Unit
from agent.errors import SourceError
from agent.spec import HostSpec

AGENT = "stoker-agent.service"
UP = frozenset({"active", "activating", "reloading"})
PROPERTIES = "Id,ActiveState,UnitFileState,Result"


class UnitState(msgspec.Struct, frozen=True, kw_only=True):
    """A unit, in systemd's words."""

    active: str
    enabled: str = ""
    result: str = ""
    last: str = ""  # the last line of its journal, if it failed


class UnitsReading(msgspec.Struct, frozen=True, kw_only=True):
    """By name: what runs, and what the last deploy left running."""

    states: dict[str, UnitState]
    wanted: dict[str, Unit]


class Units:
    """See the module."""

    name = "units"

    def read(self, seen: Seen, spec: HostSpec | None) -> UnitsReading:
        """Ask systemd for the units of the manifest, or for the usual ones."""
        manifest = seen.manifest()
        wanted = dict(manifest.units) if manifest else {}
        if spec is not None and not manifest:  # a deploy that did not come to its end
            wanted = {AGENT: Unit(active=True)}
            wanted |= {"docker.service": Unit(active=True)} if spec.engines else {}
        return UnitsReading(states=states(seen, sorted(wanted)), wanted=wanted)

    def judge(
        self, reading: UnitsReading, _spec: HostSpec | None, _now: float
    ) -> Iterator[Finding]:
        """A unit that is down, and one that the next boot would leave down."""
        for name, wanted in sorted(reading.wanted.items()):
            state = reading.states.get(name, UnitState(active="not known"))
            if wanted.active and state.active not in UP:
                why = f" ({state.result})" if state.result not in {"", "success"} else ""
                last = f"; it said last: {state.last}" if state.last else ""
                yield fault(
                    f"{name} is {state.active}{why}{last}",
                    f"systemctl start {name}; journalctl -u {name} -n 50 says why it stopped",
                )
            elif wanted.enabled and state.enabled not in {"enabled", "static", "alias"}:
                yield warning(
                    f"{name} is {state.enabled or 'not enabled'}: it will not run after a reboot",
                    f"systemctl enable {name}",
                )


def states(seen: Seen, names: Sequence[str]) -> dict[str, UnitState]:
    """Return the state of each unit; of those that failed, with their last words.

    systemd answers in the order of the names, and an alias under its own name.
    """
    if not names:
        return {}
    ran = seen.node.run("systemctl", "show", "-p", PROPERTIES, *names)
    if ran is None or ran.code:
        raise SourceError(f"systemd does not answer: {ran.err.strip() if ran else 'no systemctl'}")
    blocks = [dict(_pairs(block)) for block in ran.out.strip().split("\n\n")]
    return {name: _state(seen, name, block) for name, block in zip(names, blocks, strict=False)}


def _state(seen: Seen, name: str, block: dict[str, str]) -> UnitState:
    active = block.get("ActiveState", "not known")
    return UnitState(
        active=active,
        enabled=block.get("UnitFileState", ""),
        result=block.get("Result", ""),
        last=_last(seen, name) if active == "failed" else "",
    )


def _last(seen: Seen, name: str) -> str:
    """Return what the unit itself said last; systemd's own lines only tell that it has ended."""
    ran = seen.node.run("journalctl", "-q", "-o", "cat", "-n", "20", "-u", name)
    lines = [line.strip() for line in ran.out.splitlines()] if ran and not ran.code else []
    own = [line for line in lines if line and not line.startswith((name, "Stopped", "Stopping"))]
    return own[-1][:160] if own else ""


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        key, _, value = line.partition("=")
        yield key, value
