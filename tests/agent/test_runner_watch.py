from agent.runner.dockerd import State
from agent.runner.watch import JUDGED, LONGEST, Tail, await_end, follow_log
from tests.agent.docker_fake import RUNNING, FakeDockerd, lost, refused

GONE = State(running=False, code=1)


def stamp(second: int) -> str:
    return f"2026-11-24T20:00:{second:02}.000000000Z"


def test_the_end_is_what_docker_says_not_a_broken_wait() -> None:
    dockerd, pauses = FakeDockerd(), list[float]()
    dockerd.trouble["wait"] = [lost(), refused("500"), lost()]
    dockerd.states = [RUNNING, RUNNING, GONE]
    assert await_end(dockerd, "c", pauses.append) == GONE
    assert pauses == [0.5, 1.0, 2.0, 4.0, 5.0]


def test_a_dockerd_that_is_away_ends_nothing() -> None:
    dockerd = FakeDockerd()
    dockerd.trouble["state"] = [lost() for _ in range(50)]
    dockerd.states = [GONE]
    assert await_end(dockerd, "c", lambda _: None) == GONE
    assert dockerd.calls.count("wait c") == 51


def test_a_removed_container_has_ended() -> None:
    dockerd = FakeDockerd()
    dockerd.states = [None]
    assert await_end(dockerd, "c", lambda _: None) is None


def test_the_log_goes_on_after_a_break_without_a_line_twice() -> None:
    dockerd, lines = FakeDockerd(), list[str]()
    dockerd.logs = [
        [(stamp(1), "one"), (stamp(2), "two"), (stamp(2), "two again"), lost()],
        [(stamp(1), "one"), (stamp(2), "two"), (stamp(2), "two again"), (stamp(3), "three")],
        [(stamp(3), "three"), (stamp(4), "four")],
    ]
    dockerd.states = [RUNNING, GONE]
    follow_log(dockerd, "c", lines.append, lambda _: None)
    assert lines == ["one", "two", "two again", "three", "four"]
    assert [call for call in dockerd.calls if call.startswith("lines")] == [
        "lines c",
        f"lines c {stamp(2)}",
        f"lines c {stamp(3)}",
    ]


def test_the_tail_keeps_the_last_lines_and_cuts_long_ones() -> None:
    tail = Tail()
    for number in range(JUDGED + 10):
        tail.add(f"{number} " + "x" * 2 * LONGEST)
    assert len(tail.last()) == JUDGED
    assert tail.last(1)[0].startswith(f"{JUDGED + 9} ")
    assert len(tail.last(1)[0]) == LONGEST


def test_an_empty_tail() -> None:
    assert Tail().last(80) == ()
