"""What is news, once: by the values, and by a whole life of one agent."""

import re
from pathlib import Path

import msgspec
import pytest

from agent.ladder import Outcome
from agent.model import Phase, Remedy, Verb
from agent.news import News, NewsKind, news
from agent.snapshot import Snapshot
from agent.xid.fault import Source
from agent.xid.incident import Closed, Incident, merged, shut
from tests.agent.fakes import look, nvml
from tests.agent.node import Node
from tests.agent.shown import (
    attempt,
    condition,
    engine,
    fault,
    incident,
    judged,
    sick,
    snapshot,
)

WELL = snapshot(at=2000.0)
OPEN = incident()
DRAINED = engine(WELL, {"phase": Phase.DRAINING, "since": 2001.0, "reason": "Xid79"})


def kinds(before: Snapshot | None, after: Snapshot) -> list[str]:
    return [one.kind for one in news(before, after)]


def holding(*opened: Incident, closed: tuple[Incident, ...] = ()) -> Snapshot:
    return msgspec.structs.replace(WELL, incidents=opened, incidents_closed=closed)


CLOSED = shut(judged(OPEN, Remedy.RESET), Closed.RESET, 1500.0)
BARE = incident(source=Source.DRIVER, text="")
HARMLESS = shut(judged(BARE, Remedy.NONE), Closed.HARMLESS, 1200.0)
TOLD = merged(BARE, fault())
RUN, RAN = attempt(), attempt(ended=950.0, outcome=Outcome.DONE)
MORE = msgspec.structs.replace(OPEN, count=9, last=1009.0)


def at(kind: str, *names: str) -> list[str]:
    return [f"{kind}-{name}" for name in names]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (WELL, WELL, []),
        (WELL, DRAINED, ["phase"]),
        (DRAINED, engine(DRAINED, {"reason": "Other", "message": "m", "idle": 3}), []),
        (WELL, engine(WELL, {"last_start": 2000.5}), ["started"]),
        (WELL, engine(WELL, {"last_start": 8.0}), []),  # the clock was set back
        (WELL, holding(OPEN), at("incident", "opened")),
        (holding(OPEN), holding(MORE), []),
        (holding(OPEN), holding(judged(OPEN, Remedy.RESET)), at("incident", "judged")),
        (
            holding(judged(OPEN, Remedy.RESET)),
            holding(judged(OPEN, Remedy.REBOOT)),
            at("incident", "judged"),
        ),
        (
            holding(judged(OPEN, Remedy.RESET)),
            holding(closed=(CLOSED,)),
            at("incident", "closed"),
        ),
        (WELL, holding(closed=(CLOSED,)), at("incident", "opened", "judged", "closed")),
        (holding(closed=(HARMLESS,)), holding(TOLD), at("incident", "opened")),
        (
            msgspec.structs.replace(WELL, conditions=(condition(),)),
            msgspec.structs.replace(WELL, conditions=(condition(message="still lost"),)),
            [],
        ),
        (WELL, msgspec.structs.replace(WELL, conditions=(condition(),)), ["condition-opened"]),
        (msgspec.structs.replace(WELL, conditions=(condition(),)), WELL, ["condition-closed"]),
        (
            msgspec.structs.replace(WELL, conditions=(condition(),)),
            msgspec.structs.replace(WELL, conditions=(condition(reason="GpuHung"),)),
            ["condition-opened", "condition-closed"],
        ),
        (WELL, msgspec.structs.replace(WELL, attempts=(RUN,)), ["rung-begun"]),
        (
            msgspec.structs.replace(WELL, attempts=(RUN,)),
            msgspec.structs.replace(WELL, attempts=(RAN,)),
            ["rung-ended"],
        ),
        (WELL, msgspec.structs.replace(WELL, attempts=(RAN,)), ["rung-begun", "rung-ended"]),
        (msgspec.structs.replace(WELL, attempts=(RAN,)), WELL, []),  # forgotten after a week
    ],
)
def test_news(before: Snapshot, after: Snapshot, expected: list[str]) -> None:
    assert kinds(before, after) == expected


def test_what_a_phase_change_tells() -> None:
    (one,) = news(WELL, DRAINED)
    assert one.at == 2001.0
    assert one.facts == {
        "engine": "main",
        "from": "SERVING",
        "to": "DRAINING",
        "reason": "Xid79",
        "message": "a test",
        "by": "agent",
    }


def test_a_closed_incident_that_slides_back_into_the_window_is_not_news() -> None:
    old, newer = (
        shut(incident(name), Closed.BOOT, at) for name, at in (("a", 1100.0), ("b", 1200.0))
    )
    assert kinds(holding(closed=(newer,)), holding(closed=(old, newer))) == []


def identified(told: tuple[News, ...]) -> set[str]:
    assert all(re.fullmatch("[!-~]{1,128}", one.id) for one in told)
    assert len({one.id for one in told}) == len(told)
    return {one.id for one in told}


def test_a_fresh_process_tells_the_same_events_by_the_same_ids() -> None:
    full = sick()
    first = identified(news(None, full))
    assert identified(news(snapshot(), full)) - first == set()
    assert identified(news(None, msgspec.structs.replace(full, at=full.at + 60))) == first
    assert {one.kind for one in news(None, full)} == set(NewsKind) - {NewsKind.CONDITION_CLOSED}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path)
    made.engine.value, made.nvml.value = look(in_flight=0), nvml()
    made.units.up["stoker-engine@main.service"] = True
    return made


async def test_a_life(node: Node) -> None:
    """The story of a drain by a person, told as it happens, and each id once."""
    told: list[News] = []
    node.published.listen(lambda before, after: told.extend(news(before, after)))
    node.remember(phase=Phase.SERVING, last_start=1.0)
    node.loop.begin()
    await node.tick()
    del told[:]
    node.ask(Verb.DRAIN)
    for _ in range(5):
        await node.tick()
    node.ask(Verb.UNDRAIN)
    await node.tick()
    way = [(one.facts["from"], one.facts["to"], one.facts["by"]) for one in told]
    assert way == [
        ("SERVING", "DRAINING", "alice"),
        ("DRAINING", "DRAINED", "alice"),
        ("DRAINED", "STARTING", "alice"),
        ("STARTING", "SERVING", "agent"),
    ]
    assert len({one.id for one in told}) == len(told)
