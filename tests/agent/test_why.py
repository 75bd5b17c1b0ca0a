"""What an operator reads at 3 a.m.: the cause, what is waited for, and the way out."""

import re
import time
from pathlib import Path

import pytest

import agent
from agent.audit import Record, tail
from agent.ladder import Outcome
from agent.model import EngineState, Goal, Phase, Remedy, Verb
from agent.show_why import why
from agent.snapshot import Snapshot
from agent.waits import WAITS, sentences
from agent.why import explain
from agent.xid.fault import Kind
from tests.agent.fakes import look, nvml
from tests.agent.node import Node
from tests.agent.shown import (
    attempt,
    condition,
    engine,
    incident,
    judged,
    sick,
    snapshot,
    step,
)


def story(shown: Snapshot, *records: Record) -> str:
    text = why(explain(shown, "main", records), now=time.time())
    assert max(map(len, text.splitlines())) <= 100
    return re.sub(r"\s+", " ", text)


def test_the_whole_story() -> None:
    text = story(sick(), Record(at=1000.0, event="request", verb="drain", by="alice", reason="fan"))
    for words in (
        "main: QUARANTINED for 2 min, since ",
        "because ! gpu:GPU-0 GpuLost: GPU 0 is lost NVML answers 15",
        "incidents i-1: told once; needs quarantine; only a person may close it",
        "reboot of node: the agent may not do this by itself (NotArmed)",
        "set agent_arm_reboot = True",
        "tried 1970-01-01 00:15:00 UTC reset of gpu:GPU-0 for Xid48: running",
        "next nothing, until a named person releases it",
        'stokerctl ack i-1 --reason "…" stokerctl ack i-4 --reason "…" stokerctl undrain main',
        "1970-01-01 00:16:40 UTC alice asks to drain: fan",
    ):
        assert words in text, words


AGENTS = {"by": "agent", "goal": Goal.FAULT}
PERSONS = {"by": "alice", "goal": Goal.MAINTENANCE}


@pytest.mark.parametrize(
    ("phase", "state", "facts", "words"),
    [
        (Phase.SERVING, {}, {}, "nothing: it serves"),
        (Phase.SERVING, {}, {"advice": Remedy.RESET}, "would reset, but only observes"),
        (Phase.STARTING, {}, {"running": True}, "as soon as it answers a chat completion; 3 rest"),
        (Phase.STARTING, {}, {"running": False}, "started again, after a pause"),
        (Phase.STARTING, {}, {"running": None}, "could not look at it yet"),
        (
            Phase.STARTING,
            {},
            {"running": False, "advice": Remedy.RESTART},
            "would restart, but only observes",
        ),
        (Phase.DRAINING, {"goal": Goal.RESTART}, {}, "restarted, as soon as no request is in fli"),
        (Phase.DRAINING, {"goal": Goal.FAULT}, {}, "in flight (4 now)"),
        (Phase.DRAINING, {"goal": Goal.FAULT}, {"requests_running": None}, "not known how many"),
        (Phase.DRAINED, AGENTS, {}, "serves again by itself when what stands against it"),
        (Phase.DRAINED, PERSONS, {}, "until somebody undrains it: it was alice who drained it"),
        (Phase.QUARANTINED, {}, {}, "until a named person releases it"),
    ],
)
def test_what_comes_next(
    phase: Phase, state: dict[str, object], facts: dict[str, object], words: str
) -> None:
    shown = engine(snapshot(phase), {"phase": phase, **state}, **facts)
    assert words in story(shown)


@pytest.mark.parametrize("goal", list(Goal))
def test_every_drain_says_what_it_is_for(goal: Goal) -> None:
    told = explain(engine(snapshot(Phase.DRAINING), {"goal": goal}), "main", ())
    assert told.next.startswith("it is ")


UNDRAIN, ACK = 'stokerctl undrain main --reason "…"', 'stokerctl ack i-1 --reason "…"'


@pytest.mark.parametrize(
    ("phase", "by", "remedy", "expected"),
    [
        (Phase.SERVING, "agent", Remedy.REBOOT, ()),
        (Phase.STARTING, "agent", Remedy.RESTART, ()),
        (Phase.DRAINED, "agent", Remedy.RESET, (ACK,)),
        (Phase.DRAINED, "agent", Remedy.RESTART, ()),
        (Phase.DRAINED, "alice", None, (UNDRAIN,)),
        (Phase.QUARANTINED, "agent", None, (UNDRAIN,)),
        (Phase.QUARANTINED, "agent", Remedy.QUARANTINE, (ACK, UNDRAIN)),
    ],
)
def test_the_way_out(
    phase: Phase, by: str, remedy: Remedy | None, expected: tuple[str, ...]
) -> None:
    one = incident()
    shown = snapshot(phase, incidents=(judged(one, remedy) if remedy else one,))
    assert explain(engine(shown, {"by": by}), "main", ()).release == expected


def test_only_what_is_about_this_engine() -> None:
    other = incident("i-2", gpu="00000000:01:00")  # GPU-1
    lost = incident("i-3", gpu="00000000:77:00")  # not seen since the agent began
    switch = incident("i-4", 12028, kind=Kind.SXID, gpu="00000000:01:00")
    told = explain(
        snapshot(
            incidents=(incident(), other, lost, switch),
            conditions=(condition(), condition(subject="gpu:GPU-1"), condition(subject="node")),
            steps=(step(), step(subject="gpu:GPU-1")),
            attempts=(attempt(), attempt(subject="gpu:GPU-1")),
        ),
        "main",
        [Record(at=float(at), event="decision", engine=at % 2 * "main") for at in range(40)]
        + [Record(at=99.0, event="decision", engine="code")],
    )
    assert [one.id for one in told.incidents] == ["i-1", "i-3", "i-4"]
    assert [one.subject for one in told.conditions] == ["gpu:GPU-0", "node"]
    assert [one.subject for one in told.waiting] == ["node"]
    assert [one.subject for one in told.tried] == ["gpu:GPU-0"]
    assert [one.at for one in told.decisions] == [float(at) for at in range(30, 40)]


def test_every_reason_to_wait_has_its_sentences() -> None:
    """Read off the sources: a new reason must not reach an operator as a bare token."""
    root = Path(agent.__file__).parent
    found = set()
    for name in ("ladder", "standstill", "remedies"):
        text = (root / f"{name}.py").read_text()
        found |= set(re.findall(r'(?:return|waits =) "([A-Z]\w+)"', text))
    assert found == set(WAITS)
    for reason in WAITS:
        reason_why, advice = sentences(step(reason))
        assert reason_why
        assert advice
        assert "{" not in reason_why + advice


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            {"event": "decision", "phase": "STARTING", "reason": "Hang", "start": True},
            "agent STARTING Hang (start): m",
        ),
        ({"event": "verdict", "remedy": "reset", "incident": "i"}, "agent reset: m"),
        (
            {"event": "acknowledged", "by": "bob", "incident": "i", "reason": "swapped"},
            "bob closes incident i: swapped",
        ),
        (
            {"event": "rung ended", "rung": "reset", "subject": "gpu:G", "outcome": "failed"},
            "agent rung ended reset of gpu:G: failed m",
        ),
        ({"event": "retired"}, "agent retired: m"),
    ],
)
def test_a_decision_in_words(record: dict[str, object], words: str) -> None:
    assert words in story(snapshot(), Record(**{"at": 1.0, "message": "m", **record}))  # type: ignore[arg-type]


async def test_actor_and_reason_are_kept_by_a_real_agent(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.engine.value, node.nvml.value = look(in_flight=0), nvml()
    node.units.up["stoker-engine@main.service"] = True
    node.remember(phase=Phase.SERVING, last_start=1.0)
    node.loop.begin()
    await node.tick()
    node.ask(Verb.DRAIN)
    for _ in range(4):
        await node.tick()
    text = story(node.shown, *tail(node.audit, 100))
    assert "main: DRAINED" in text
    assert "alice asks to drain: fan" in text
    assert "alice DRAINING Requested: fan" in text
    assert "alice DRAINED Drained: fan (no request in flight)" in text
    assert 'stokerctl undrain main --reason "…"' in text


def test_attempts_are_told_with_their_end() -> None:
    failed = attempt(ended=950.0, outcome=Outcome.FAILED, message="the GPU did not come back")
    assert "Xid48: failed: the GPU did not come back" in story(snapshot(attempts=(failed,)))


def test_a_state_without_a_deadline_names_none() -> None:
    assert "at the latest" not in story(snapshot())
    assert "at the latest at 1970-01-01 00:00:03 UTC" in story(sick())
    assert EngineState(since=1.0, reason="R", message="m").deadline is None
