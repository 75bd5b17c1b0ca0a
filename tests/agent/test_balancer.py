"""What HAProxy is told: the full truth, for each phase and whose doing it is."""

import msgspec
import pytest

from agent.agentcheck import line
from agent.balancer import told
from agent.model import AGENT, Phase
from agent.snapshot import Snapshot
from tests.agent.shown import snapshot

P = Phase


def shown(*engines: tuple[Phase, str, float], replicas: bool = False) -> Snapshot:
    """A node with engines `a`, `b`, … of a phase, by somebody, with a capacity.

    Each has a model of its own, unless they are `replicas` of one.
    """
    base = snapshot()
    one = next(iter(base.engines.values()))
    views = {}
    for name, (phase, by, capacity) in zip("abc", engines, strict=False):
        state = msgspec.structs.replace(
            one.state, phase=phase, by=by, reason=f"Why{name.upper()}", shut=1.0
        )
        served = one.served_name if replicas else f"model-{name}"
        views[name] = msgspec.structs.replace(
            one, state=state, capacity=capacity, served_name=served
        )
    return msgspec.structs.replace(base, engines=views)


def out(reason: str, *, maintenance: bool = False) -> str:
    return line(serving=False, weight_percent=100, maintenance=maintenance, reason=reason)


def up(weight: int) -> str:
    return line(serving=True, weight_percent=weight, maintenance=False, reason="")


@pytest.mark.parametrize("by", [AGENT, "alice"])
@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_and_whose_doing_it_is(phase: Phase, by: str) -> None:
    person = by != AGENT and phase in {Phase.DRAINING, Phase.DRAINED}
    expected = up(100) if phase is Phase.SERVING else out("WhyA", maintenance=person)
    assert told(shown((phase, by, 1.0)), None) == expected
    assert told(shown((phase, by, 1.0)), "a") == expected
    assert expected.endswith("\n")


@pytest.mark.parametrize(
    ("engines", "engine", "expected"),
    [
        ([(P.SERVING, AGENT, 0.5)], None, up(50)),
        ([(P.SERVING, AGENT, 0.5), (P.SERVING, AGENT, 0.25)], None, up(25)),
        ([(P.SERVING, AGENT, 0.5), (P.SERVING, AGENT, 0.25)], "a", up(50)),
        # the node is as good as its worst model; each engine is asked for by itself
        ([(P.SERVING, AGENT, 1.0), (P.STARTING, AGENT, 1.0)], None, out("WhyB")),
        ([(P.SERVING, AGENT, 1.0), (P.STARTING, AGENT, 1.0)], "a", up(100)),
        # a fault is told before a person's drain, and is no maintenance
        ([(P.DRAINED, "alice", 1.0), (P.QUARANTINED, AGENT, 1.0)], None, out("WhyB")),
        (
            [(P.DRAINED, "alice", 1.0), (P.SERVING, AGENT, 1.0)],
            None,
            out("WhyA", maintenance=True),
        ),
        ([(P.SERVING, AGENT, 1.0)], "x", out("NoSuchEngine")),
    ],
)
def test_the_node_and_its_engines(
    engines: list[tuple[Phase, str, float]], engine: str | None, expected: str
) -> None:
    assert told(shown(*engines), engine) == expected


@pytest.mark.parametrize(
    ("engines", "expected"),
    [
        ([(P.SERVING, AGENT, 1.0), (P.STARTING, AGENT, 1.0)], up(50)),
        ([(P.DRAINED, "alice", 1.0), (P.SERVING, AGENT, 1.0)], up(50)),
        ([(P.QUARANTINED, AGENT, 1.0), (P.STARTING, AGENT, 1.0)], out("WhyA")),
    ],
)
def test_a_node_serves_as_long_as_one_of_its_replicas_does(
    engines: list[tuple[Phase, str, float]], expected: str
) -> None:
    assert told(shown(*engines, replicas=True), None) == expected


def test_one_that_has_never_served_takes_nothing_away() -> None:
    found = shown((P.SERVING, AGENT, 1.0), (P.STARTING, AGENT, 1.0), replicas=True)
    new = msgspec.structs.replace(found.engines["b"].state, shut=None)
    copy = msgspec.structs.replace(found.engines["b"], state=new)
    both = msgspec.structs.replace(found, engines={**found.engines, "b": copy})
    assert told(both, None) == up(100)
    assert told(both, f"model={copy.served_name}", {"a": 8, "b": 8}) == "up ready 100% maxconn:8\n"


def test_before_the_first_look_it_is_out() -> None:
    for engine in (None, "a"):
        assert told(None, engine) == out("Starting")


def model(*engines: tuple[Phase, str, float], most: dict[str, int] | None = None) -> str:
    found = shown(*engines, replicas=True)
    return told(found, f"model={next(iter(found.engines.values())).served_name}", most)


@pytest.mark.parametrize(
    ("engines", "expected"),
    [
        ([(P.SERVING, AGENT, 1.0)], "up ready 100% maxconn:8\n"),
        ([(P.SERVING, AGENT, 0.5)], "up ready 50% maxconn:4\n"),
        # two replicas: as long as one serves, as much as it can do of what both could
        ([(P.SERVING, AGENT, 1.0), (P.SERVING, AGENT, 1.0)], "up ready 100% maxconn:24\n"),
        ([(P.SERVING, AGENT, 1.0), (P.STARTING, AGENT, 1.0)], "up ready 50% maxconn:8\n"),
        ([(P.DRAINED, "al", 1.0), (P.SERVING, AGENT, 0.5)], "up ready 25% maxconn:8\n"),
        (
            [(P.DRAINED, "al", 1.0), (P.DRAINED, "al", 1.0)],
            "up drain 100% maxconn:24 #WhyA\n",
        ),
        (
            [(P.DRAINED, "al", 1.0), (P.QUARANTINED, AGENT, 1.0)],
            "down drain 100% maxconn:24 #WhyB\n",
        ),
    ],
)
def test_a_model_is_as_good_as_its_engines_together(
    engines: list[tuple[Phase, str, float]], expected: str
) -> None:
    assert model(*engines, most={"a": 8, "b": 16}) == expected


def test_a_model_that_nobody_serves_is_down() -> None:
    assert told(shown((P.SERVING, AGENT, 1.0)), "model=x") == out("NoSuchModel")
    assert model((P.SERVING, AGENT, 1.0)) == up(100)  # nobody said how many it takes


def test_a_replica_behind_a_gate_that_is_stuck_does_not_count() -> None:
    found = shown((P.SERVING, AGENT, 1.0), (P.SERVING, AGENT, 1.0), replicas=True)
    stuck = msgspec.structs.replace(found.engines["a"], gate_problem="EACCES")
    asked = f"model={stuck.served_name}"
    one = msgspec.structs.replace(found, engines={**found.engines, "a": stuck})
    assert told(one, asked) == up(50)
    both = msgspec.structs.replace(found, engines={"a": stuck, "b": stuck})
    assert told(both, asked) == out("GateStuck")
