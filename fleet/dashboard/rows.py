"""What the fleet page shows of each node, and which is the worst. Pure.

Nodes may have other versions of Stoker than this machine, so only what is shown is read.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, TypeVar

from msgspec import Meta, Raw, Struct

from agent.model import Phase

N = TypeVar("N", int, float)
# JSON has integers of any length, and a sum of long ones could not be written again.
Count = Annotated[int, Meta(ge=-(2**53), le=2**53)]


class State(Struct, frozen=True):
    """Where an engine is in its life; `since` seconds since 1970."""

    phase: str
    reason: str = ""
    since: float = 0.0


class Engine(Struct, frozen=True):
    """One engine; None = not known."""

    state: State
    model: str = ""
    served_name: str = ""
    requests_running: Count | None = None
    requests_waiting: Count | None = None
    tokens_per_second: float | None = None
    kv_use_ratio: float | None = None
    gate_problem: str = ""


class Gpu(Struct, frozen=True):
    """One GPU; `error` = the driver's code for why it cannot be read."""

    error: int | None = None


class Gpus(Struct, frozen=True):
    """The GPUs of a node."""

    gpus: tuple[Gpu, ...] = ()


class Drift(Struct, frozen=True):
    """The last check for drift."""

    release: str = ""
    left: tuple[Raw, ...] = ()
    problem: str = ""


class Snapshot(Struct, frozen=True):
    """The agent's snapshot, as far as the row of a node needs it."""

    phase: str
    at: float
    reason: str = ""
    message: str = ""
    version: str = ""
    engines: dict[str, Engine] = {}
    gpus: Gpus | None = None
    conditions: tuple[Raw, ...] = ()
    incidents: tuple[Raw, ...] = ()
    drift: Drift = Drift()


class Link(StrEnum):
    """How well a node is known. Unknown is not failed: none of these says that it does not work."""

    ASKING = "asking"  # it was not asked yet
    FRESH = "fresh"
    STALE = "stale"  # its agent answers, but the loop of it does not turn
    SILENT = "silent"  # it does not answer


class EngineRow(Struct, frozen=True, kw_only=True):
    """One engine in short."""

    name: str
    phase: str
    model: str
    serving: bool
    since: float


class Row(Struct, frozen=True, kw_only=True):
    """One node. `age` of what is known of it in seconds; None = nothing is, and all else is empty.

    `problem`: why it cannot be asked, `since` when (seconds since 1970; 0 = always).
    """

    name: str
    link: Link
    problem: str = ""
    since: float = 0.0
    age: float | None = None
    phase: str = ""
    reason: str = ""
    message: str = ""
    engines: tuple[EngineRow, ...] = ()
    in_flight: int | None = None
    waiting: int | None = None
    tokens_per_second: float | None = None
    kv_use_ratio: float | None = None
    gpus: int | None = None
    gpus_bad: int = 0
    warnings: int = 0
    incidents: int = 0
    drift: int | None = None
    release: str = ""
    version: str = ""


def row(
    name: str, link: Link, snapshot: Snapshot | None, age: float | None, problem: str, since: float
) -> Row:
    """Return the row of one node."""
    if snapshot is None:
        return Row(name=name, link=link, problem=problem, since=since)
    engines, drift = snapshot.engines, snapshot.drift
    of = list(engines.values())
    return Row(
        name=name,
        link=link,
        problem=problem,
        since=since,
        age=age,
        phase=snapshot.phase,
        reason=snapshot.reason,
        message=next((one.gate_problem for one in of if one.gate_problem), snapshot.message),
        engines=tuple(_engine(name, one) for name, one in engines.items()),
        in_flight=_sum([one.requests_running for one in of] + [one.requests_waiting for one in of]),
        waiting=_sum([one.requests_waiting for one in of]),
        tokens_per_second=_sum([one.tokens_per_second for one in of]),
        kv_use_ratio=max((u for one in of if (u := one.kv_use_ratio) is not None), default=None),
        gpus=len(snapshot.gpus.gpus) if snapshot.gpus else None,
        gpus_bad=sum(one.error is not None for one in (snapshot.gpus or Gpus()).gpus),
        warnings=len(snapshot.conditions),
        incidents=len(snapshot.incidents),
        drift=None if drift.problem else len(drift.left),
        release=drift.release,
        version=snapshot.version,
    )


def _engine(name: str, one: Engine) -> EngineRow:
    return EngineRow(
        name=name,
        phase=one.state.phase,
        model=one.served_name or one.model,
        serving=_serves(one),
        since=one.state.since,
    )


def _serves(one: Engine) -> bool:
    return one.state.phase == Phase.SERVING and not one.gate_problem


def _sum(numbers: Iterable[N | None]) -> N | None:
    known = [one for one in numbers if one is not None]
    return sum(known) if known else None


# How soon a node must be looked at, the soonest first. Of which nothing is known now may be ill.
ORDER = (
    Phase.QUARANTINED,
    "gate stuck",
    Link.STALE,
    Link.SILENT,
    Phase.DRAINED,
    Phase.DRAINING,
    Phase.STARTING,
    "another phase",
    "warned",
    Link.ASKING,
    "drifted",
    Phase.SERVING,
)


def rank(one: Row) -> int:
    """Return how soon a node must be looked at: 0 first."""
    return ORDER.index(_standing(one))


def _standing(one: Row) -> str:
    if one.link is not Link.FRESH:
        return one.link
    if one.phase != Phase.SERVING:
        return one.phase if one.phase in ORDER else "another phase"
    if not all(engine.serving for engine in one.engines):
        return "gate stuck"
    if one.warnings or one.incidents or one.gpus_bad:
        return "warned"
    return "drifted" if one.drift else Phase.SERVING


def ordered(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows, the worst first; of equals those that were first."""
    return tuple(sorted(rows, key=rank))
