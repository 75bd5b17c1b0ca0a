"""Who is told what, and how often: an answer once, a failure a few times."""

from itertools import pairwise

import msgspec
import pytest

from agent.scaling_spec import ScalingSpec
from fleet.scaling import rounds, telling
from fleet.scaling.event import Event
from fleet.scaling.rounds import ModelScale, Teller
from fleet.scaling.telling import Memory
from tests.fleet.scaling.fleets import ready

WISH = ScalingSpec(max=9)


class FakeWay:
    """Remembers what it was told; fails as often as `failures` says."""

    name = "command"

    def __init__(self, failures: int = 0) -> None:
        self.events: list[Event] = []
        self.failures = failures

    def tell(self, event: Event) -> str:
        self.events.append(event)
        self.failures -= 1
        return "it ended with 7" if self.failures >= 0 else ""


def scale(current: int, desired: int) -> ModelScale:
    return ModelScale(
        current=current,
        desired=desired,
        reason="so many wait",
        limit="",
        waiting=0,
        unknown=0,
        unready=0,
        gone=0,
        replicas=tuple(ready(*[0] * current)),
    )


def told(
    way: FakeWay, course: list[tuple[int, int]], pause: float = 15.0, wish: ScalingSpec = WISH
) -> list[str]:
    """Let a course of (current, desired) go by; return how far each answer came."""
    teller, memory, now, said = Teller([way], "desk"), Memory(), 1000.0, []
    for current, desired in course:
        now += pause
        made, memory = teller.tell("m", scale(current, desired), wish, memory, now)
        said.append(made.told.get("command", ""))
    return said


def test_an_answer_is_told_once() -> None:
    way = FakeWay()
    assert told(way, [(2, 2), (2, 4), (2, 4), (3, 4), (4, 4)]) == ["", "told", "told", "told", ""]
    assert [(one.current, one.desired) for one in way.events] == [(2, 4)]


def test_another_answer_is_told_and_so_is_the_same_later() -> None:
    way = FakeWay()
    told(way, [(2, 4), (2, 5), (5, 5), (5, 4), (4, 4), (4, 5)])
    assert [one.desired for one in way.events] == [4, 5, 4, 5]
    assert len({one.id for one in way.events}) == 4


def test_what_fails_is_tried_again_with_growing_pauses_and_then_left() -> None:
    way = FakeWay(failures=99)
    said = told(way, [(2, 4)] * 40)
    assert len(way.events) == telling.TRIES
    assert len({one.id for one in way.events}) == 1
    times = [one.at for one in way.events]
    assert [later - before for before, later in pairwise(times)] == [
        15.0, 30.0, 60.0, 120.0,
    ]  # fmt: skip
    assert said[0] == "try 1 of 5: it ended with 7"
    assert said[-1] == "given up after 5 tries: it ended with 7"
    assert told(FakeWay(failures=2), [(2, 4)] * 10)[-1] == "told"


def test_what_was_given_up_begins_anew_with_another_answer() -> None:
    way = FakeWay(failures=5)
    told(way, [(2, 4)] * 30 + [(2, 5)])
    assert [one.desired for one in way.events] == [4] * 5 + [5]


def test_without_a_limit_nobody_is_told() -> None:
    way = FakeWay()
    assert told(way, [(2, 4)], wish=ScalingSpec()) == [rounds.UNLIMITED]
    assert way.events == []


def test_the_event() -> None:
    way = FakeWay()
    told(way, [(2, 4)])
    event = way.events[0]
    assert msgspec.json.decode(event.body()) == {
        "id": "scale-62c66a7a-1015-4",
        "at": 1015.0,
        "node": "desk",
        "kind": "scale",
        "model": "m",
        "current": 2,
        "desired": 4,
        "reason": "so many wait",
        "hosts": ["h0", "h1"],
    }
    assert event.environment() == {
        "STOKER_MODEL": "m",
        "STOKER_DESIRED": "4",
        "STOKER_CURRENT": "2",
        "STOKER_REASON": "so many wait",
        "STOKER_HOSTS": "h0 h1",
        "STOKER_EVENT_ID": "scale-62c66a7a-1015-4",
    }


def test_a_memory_survives_its_file() -> None:
    teller = Teller([FakeWay()], "desk")
    _, memory = teller.tell("m", scale(2, 4), WISH, Memory(), 5.0)
    assert msgspec.json.decode(msgspec.json.encode(memory), type=Memory) == memory
    assert memory.told["command"].done


@pytest.mark.parametrize("name", ["m", "org/a-model-with-quite-a-long-name-70B" * 5])
def test_an_event_id_fits_a_header(name: str) -> None:
    found = telling.answer(None, name, 1, 2, 1e9)
    assert found is not None
    assert found.id.isascii()
    assert len(found.id) < 128
