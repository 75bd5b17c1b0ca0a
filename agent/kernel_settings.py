"""The kernel settings that a host of engines is given, and those that break it. Pure.

What each is for stands beside it. Limits are floors: a host that allows more keeps what it has.
Documented in the kernel's Documentation/admin-guide/sysctl/{vm,kernel,fs,net}.rst.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # spec imports rules, which imports this module
    from agent.spec import HostSpec


class How(Enum):
    """What is done about a value that is not ours."""

    EXACT = "exact"
    FLOOR = "floor"  # a number: never lowered
    RANGE = "range"  # two numbers: never narrowed


class Setting(msgspec.Struct, frozen=True):
    """One value, and what it is to a value that the host has already."""

    value: str
    how: How = How.EXACT

    def laid_over(self, now: str | None) -> str:
        """Return the value that the host should have, given the one it has (None: not known)."""
        match self.how:
            case How.FLOOR if now and now.isdigit():
                return str(max(int(now), int(self.value)))
            case How.RANGE if now and len(both := [*map(int, now.split())]) == 2:
                low, high = map(int, self.value.split())
                return f"{min(low, both[0])} {max(high, both[1])}"
            case _:
                return self.value


PORTS = "net.ipv4.ip_local_port_range"
RESERVED = "net.ipv4.ip_local_reserved_ports"
NUMA = "kernel.numa_balancing"

OURS: dict[str, Setting] = {
    "vm.swappiness": Setting("1"),  # swapping weights out is a latency cliff
    "vm.max_map_count": Setting("1048576", How.FLOOR),  # every shard of the weights is mapped
    "fs.file-max": Setting("1048576", How.FLOOR),  # every stream holds two sockets
    "net.core.somaxconn": Setting("4096", How.FLOOR),  # a burst of connections waits, not fails
    PORTS: Setting("16384 60999", How.RANGE),  # the gateway opens one to the engine for each stream
    NUMA: Setting("0"),  # moving an engine's pages between sockets stalls it
}
# A value that no engine survives, and why.
BREAKS = {
    ("net.ipv4.ip_forward", "0"): "containers would have no network",
    ("vm.overcommit_memory", "2"): "CUDA reserves far more addresses than there is memory",
}
_KEY = re.compile(r"[a-z][a-z0-9_-]*(\.[a-zA-Z0-9_-]+)+")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """`now`: what the kernel should run with. `kept`: what stands in the file for the next boot.

    What the host allows more of by its own account is left to that account, also at a boot.
    """

    now: dict[str, str]
    kept: dict[str, str]


def wanted(
    own: Mapping[str, str | None], taken: frozenset[int], found: Mapping[str, str], sockets: int
) -> Wanted:
    """Return the settings of a host: ours with its `own` laid over them (None takes one out).

    `taken` are ports that our programs listen on: none of them may be given to somebody's outgoing
    connection. `found` are the kernel's values. With one socket there is no NUMA to balance.
    """
    made = {key: one for key, one in OURS.items() if key != NUMA or sockets >= 2}
    for key, value in own.items():
        made.pop(key, None)
        if value is not None:
            made[key] = Setting(" ".join(value.split()))
    now = {key: one.laid_over(found.get(key)) for key, one in made.items()}
    if RESERVED not in own and (reserved := _reserved(now.get(PORTS), taken, found.get(RESERVED))):
        now[RESERVED] = reserved
    kept = {
        key: value
        for key, value in now.items()
        if key not in made or made[key].how is not How.FLOOR or made[key].value == value
    }
    return Wanted(now=now, kept=kept)


def _reserved(given: str | None, taken: frozenset[int], before: str | None) -> str:
    """Return the ports to keep out of those `given` away, with those that are kept out already."""
    if given is None:
        return ""
    low, high = map(int, given.split())
    ours = {port for port in taken if low <= port <= high}
    return _written(ours | ports(before or "")) if ours else ""


def _written(numbers: set[int]) -> str:
    """Write ports as the kernel shows them, neighbours as one range: `8080,9750-9751`."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def faults(own: Mapping[str, str | None]) -> Iterator[str]:
    """Yield one sentence for each of a host's own settings that cannot be meant."""
    for key, value in own.items():
        if not _KEY.fullmatch(key):
            yield f"base_sysctl: {key!r} is no kernel setting; one is written 'vm.swappiness'"
        elif value is None:
            yield from _taken_out(key)
        elif not value.strip() or "\n" in value:
            yield f"base_sysctl[{key!r}] = {value!r}: must be one line, such as '1'"
        elif why := BREAKS.get((key, value.strip())):
            yield f"base_sysctl[{key!r}] = {value!r}: breaks engines: {why}; leave it out"
        elif key == PORTS and not _is_range(value):
            yield f"base_sysctl[{key!r}] = {value!r}: must be two ports, such as '16384 60999'"


def _taken_out(key: str) -> Iterator[str]:
    if key in OURS or key == RESERVED:
        return
    near = difflib.get_close_matches(key, OURS, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"ours are {', '.join(OURS)}"
    yield f"base_sysctl[{key!r}] = None: takes out a setting of ours, but that is none; {hint}"


def _is_range(value: str) -> bool:
    parts = value.split()
    good = len(parts) == 2 and all(part.isdigit() for part in parts)
    return good and 1 <= int(parts[0]) < int(parts[1]) <= 65535


def ports(text: str) -> set[int]:
    """Return the ports of a list such as `8080,9750-9751`."""
    found: set[int] = set()
    for part in filter(None, (one.strip() for one in text.split(","))):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def taken(spec: "HostSpec") -> frozenset[int]:
    """Return the ports on which programs of ours listen."""
    agent = {spec.agent.port, spec.agent.check_port}
    return frozenset(agent | {engine.port for engine in spec.engines.values()})
