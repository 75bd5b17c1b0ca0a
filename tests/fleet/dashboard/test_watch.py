"""One node, asked again and again: what is kept, and what is said when it is silent."""

import msgspec
import pytest

from agent.documents import Problem
from fleet.dashboard.rows import Link
from fleet.dashboard.targets import Target
from fleet.dashboard.watch import Watcher
from tests.agent.fakes import FakeClock
from tests.fleet.dashboard.fakes import FakeNodes
from tests.page import scenes

URL = "http://gpu-1:9750"


class World:
    def __init__(self, target: Target | None = None) -> None:
        self.nodes, self.clock, self.turned = FakeNodes(), FakeClock(), 0
        self.target = target or Target(name="gpu-1", url=URL)
        self.watcher = Watcher(self.target, self.nodes.fetch, self.turn, self.clock, deadline=0.05)

    def turn(self) -> None:
        self.turned += 1


async def test_a_node_that_answers() -> None:
    world = World()
    assert world.watcher.row.link is Link.ASKING
    world.nodes.shows[URL] = scenes.healthy()
    await world.watcher.ask()
    assert (world.watcher.row.link, world.watcher.row.phase) == (Link.FRESH, "SERVING")
    assert world.watcher.row.age == 1.0
    world.clock.now += 4
    assert world.watcher.row.age == 5.0
    assert world.watcher.page is not None
    assert (world.watcher.page.age, world.watcher.page.problem) == (5.0, "")


async def test_a_change_turns_and_no_change_does_not() -> None:
    world = World()
    world.nodes.shows[URL] = scenes.healthy()
    await world.watcher.ask()
    await world.watcher.ask()
    assert world.turned == 1
    world.nodes.shows[URL] = scenes.draining()
    await world.watcher.ask()
    assert world.turned == 2


async def test_a_silent_node_keeps_what_was_known_and_since_when() -> None:
    world = World()
    world.nodes.shows[URL] = scenes.healthy()
    await world.watcher.ask()
    world.nodes.shows.clear()
    world.clock.now = 1_000_000.0
    await world.watcher.ask()
    world.clock.now += 60
    await world.watcher.ask()
    one = world.watcher.row
    assert (one.link, one.phase, one.since) == (Link.SILENT, "SERVING", 1_000_000.0)
    assert world.watcher.sentence == (
        "gpu-1 cannot be reached since 1970-01-12 13:46:40 UTC: gpu-1:9750: Connection refused"
    )
    world.nodes.shows[URL] = scenes.healthy()
    await world.watcher.ask()
    assert (world.watcher.row.link, world.watcher.sentence) == (Link.FRESH, "")


async def test_a_node_that_hangs_costs_its_deadline() -> None:
    world = World()
    world.nodes.hangs.add(URL)
    await world.watcher.ask()
    assert world.watcher.row.problem == "gave no answer within 0 s"
    assert world.watcher.page is None


async def test_a_loop_that_does_not_turn_is_stale() -> None:
    world = World()
    world.nodes.shows[URL] = scenes.healthy()
    await world.watcher.ask()
    world.clock.now += 9.5
    assert world.watcher.row.link is Link.STALE


async def test_an_agent_of_before_the_page_is_shown_too() -> None:
    world = World()
    shown = scenes.draining()
    world.nodes.answers[f"{URL}/v1/page"] = (404, b"{}")
    world.nodes.shows[URL] = shown
    world.clock.now = shown.at + 3
    await world.watcher.ask()
    assert (world.watcher.row.phase, world.watcher.row.age) == ("DRAINING", 3.0)
    assert world.watcher.page is not None
    assert msgspec.json.decode(msgspec.json.encode(world.watcher.page))["outlook"] == {}


async def test_what_an_agent_says_is_told() -> None:
    world = World()
    starting = msgspec.json.encode(Problem(error="Starting: no tick has ended yet"))
    for status, body, problem in (
        (503, starting, "its agent says: Starting: no tick has ended yet"),
        (502, b"<html>", "it answers with HTTP 502"),
        (200, b'{"age": 1}', "Object missing required field `snapshot`"),
    ):
        world.nodes.answers[f"{URL}/v1/page"] = (status, body)
        await world.watcher.ask()
        assert world.watcher.row.problem == problem


DEEP = b"[" * 100_000
LONG = b'{"state": {"phase": "x"}, "requests_running": ' + b"9" * 4300 + b"}"
ENGINES = b'{"phase": "x", "at": 1, "engines": {"a": ' + LONG + b', "b": ' + LONG + b"}}"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "Input data was truncated"),
        (b"<html>", "JSON is malformed: invalid character (byte 0)"),
        (b"\xff\xfe\x00", "JSON is malformed: invalid character (byte 0)"),
        (b"null", "Expected `object`, got `null`"),
        (DEEP, "Expected `object`, got `array`"),
        (b'{"age": 1, "snapshot": ' + DEEP, "maximum recursion depth exceeded"),
        (b'{"other": ' + DEEP, "maximum recursion depth exceeded"),
        (b'{"age": 1, "problem": "\xff", "snapshot": {}}', "codec can't decode byte 0xff"),
        (b'{"age": 1, "snapshot": {"phase": "\xff", "at": 1}}', "codec can't decode byte 0xff"),
        (b'{"age": 1, "snapshot": {"phase": 7, "at": 1}}', "Expected `str`, got `int`"),
        (b'{"age": 1e999, "snapshot": {}}', "Number out of range"),
        (b'{"age": 1, "snapshot": ' + ENGINES + b"}", "Expected `int` <="),
    ],
)
async def test_garbage_is_a_problem_of_that_node_and_its_next_answer_is_read(
    body: bytes, problem: str
) -> None:
    world = World()
    world.nodes.answers[f"{URL}/v1/page"] = (200, body)
    await world.watcher.ask()
    assert world.watcher.row.link is Link.SILENT
    assert problem in world.watcher.row.problem
    assert msgspec.json.encode(world.watcher.row)
    world.nodes.answers.clear()
    world.nodes.shows[URL] = scenes.healthy()
    await world.watcher.ask()
    assert (world.watcher.row.link, world.watcher.row.problem) == (Link.FRESH, "")


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"[1]", b'{"error": "\xff"}', b'{"x": ' + DEEP, b'{"error": 7}']
)
async def test_an_error_that_is_garbage_is_told_by_its_status(body: bytes) -> None:
    world = World()
    world.nodes.answers[f"{URL}/v1/page"] = (500, body)
    await world.watcher.ask()
    assert world.watcher.row.problem == "it answers with HTTP 500"


async def test_who_cannot_be_asked_is_not_asked() -> None:
    world = World(Target(name="old-1", problem="its agent listens on 127.0.0.1 alone"))
    await world.watcher.ask()
    assert world.nodes.asked == []
    assert world.watcher.row.link is Link.SILENT
    assert world.watcher.sentence == ("old-1 cannot be asked: its agent listens on 127.0.0.1 alone")
