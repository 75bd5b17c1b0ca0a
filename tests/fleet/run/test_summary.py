"""How a run ended, in words."""

from fleet.run.events import Ended, HostResult
from fleet.run.summary import lines, verdict

DONE = HostResult(host="a", verdict="done", changed=("x", "y"), reached=True)
CALM = HostResult(host="d", verdict="done", reached=True)
FAILED = HostResult(
    host="b",
    verdict="failed",
    changed=("x",),
    failed="engine | run the engines",
    lines=("main does not serve", "it ended with code 1\x1b[2J"),
    reached=True,
)
WAITING = HostResult(host="c", verdict="stopped", changed=("x",))
FRESH = HostResult(host="e", verdict="not begun")


def test_a_good_end() -> None:
    assert list(lines(Ended(at=1, hosts=(DONE, CALM)))) == [
        "changed: a (2 changes)",
        "nothing to do on: d",
    ]


def test_what_became_of_each_engine() -> None:
    rolled = HostResult(
        host="a", verdict="done", changed=("x",), engines=("main: SERVING (14.2 s)",)
    )
    assert list(lines(Ended(at=1, hosts=(rolled,)))) == [
        "a: main: SERVING (14.2 s)",
        "changed: a (1 change)",
    ]
    many = tuple(HostResult(host=f"h{n}", verdict="done", engines=("main",)) for n in range(12))
    said = list(lines(Ended(at=1, hosts=many)))
    assert said[9:11] == ["h9: main", "and 2 more such lines"]


def test_a_failure_names_the_host_its_last_lines_and_who_was_not_touched() -> None:
    end = Ended(at=1, hosts=(DONE, FAILED, WAITING, FRESH))
    assert list(lines(end)) == [
        "b failed at: engine | run the engines (1 change)",
        "    | main does not serve",
        "    | it ended with code 1 [2J",
        "changed: a (2 changes)",
        "untouched, serving as before: e, c (1 change)",
    ]
    assert verdict(end) == "failed"


def test_who_was_in_the_middle_is_not_called_untouched() -> None:
    middle = HostResult(host="c", verdict="stopped", changed=("x",), reached=True)
    [problem, said] = lines(Ended(at=1, hosts=(middle,), problem="a hook says no"))
    assert problem == "a hook says no"
    assert said == "stopped in the middle: c (1 change); deploy again, it goes on from there"
