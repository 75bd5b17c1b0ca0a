"""What HAProxy is told: the full truth, for each phase and whose doing it is."""

import msgspec
import pytest

from agent.agentcheck import line
from agent.balancer import told
from agent.model import AGENT, Phase
from agent.snapshot import Snapshot
from tests.agent.shown import snapshot

P = Phase


def shown(*engines: tuple[Phase, str, float]) -> Snapshot:
    """A node with engines `a`, `b`, … of a phase, by somebody, with a capacity."""
    base = snapshot()
    one = next(iter(base.engines.values()))
    views = {}
    for name, (phase, by, capacity) in zip("abc", engines, strict=False):
        state = msgspec.structs.replace(one.state, phase=phase, by=by, reason=f"Why{name.upper()}")
        views[name] = msgspec.structs.replace(one, state=state, capacity=capacity)
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
        # the node is as good as its worst engine; each is asked for by itself
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


def test_before_the_first_look_it_is_out() -> None:
    for engine in (None, "a"):
        assert told(None, engine) == out("Starting")
