"""The ladder on a node of three engines: whom a rung disturbs, and whom it leaves alone."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.attempts import Attempt, Outcome
from agent.audit import Audit
from agent.casebook import Casebook
from agent.climber import Climber
from agent.fleetlock import SLOTS_TAKEN, Granted, Refused
from agent.memory import Memory
from agent.model import AGENT, Condition, EngineState, Goal, Phase, Remedy, Status
from agent.remedies import Remedies
from agent.slots import Slots
from agent.spec import HostSpec
from agent.state import NodeState
from agent.xid.fault import KernelFault, Kind
from tests.agent.fakes import FakeClock, FakeDriver, FakeRungs, Journal, JournalStore
from tests.agent.node import IMAGE, engine

SPEC = HostSpec.from_data(
    "host",
    {
        "engine_image": IMAGE,
        "engine_model": "a/b",
        "engine_revision": "a" * 40,
        "driver_gpu_count": 4,
        "agent_arm_reset": True,
        "agent_arm_reboot": True,
        "engines": {
            "one": {"port": 8080},
            "two": {"port": 8081, "gpus": 2},
            "cpu": {"port": 8082, "gpus": 0},
        },
    },
)
GPUS = {"one": ("A",), "two": ("B", "C"), "cpu": ()}
STOPPED = dict.fromkeys(GPUS, False)


class Server:
    """A FleetLock server that may be full."""

    def __init__(self, journal: Journal) -> None:
        self.journal, self.full = journal, False

    async def acquire(self) -> Granted | Refused:
        self.journal.append("acquire")
        return Refused(reason=SLOTS_TAKEN, message="full") if self.full else Granted("")

    async def release(self) -> Refused | None:
        self.journal.append("release")
        return None


class Rig:
    """Remedies with everything around them; engines are put into a phase by hand."""

    def __init__(self, path: Path) -> None:
        self.journal: Journal = []
        self.clock = FakeClock(1_000_000.0)
        self.inhibit, self.server = path / "inhibit", Server(self.journal)
        self.rungs = FakeRungs(self.journal)
        self.memory = Memory(JournalStore(path / "state.json", []), "boot-1")
        audit = Audit(path / "audit")
        self.casebook = Casebook(SPEC, self.memory, audit, self.clock)
        self.climber = Climber(self.rungs, self.server, FakeDriver(self.journal), self.sleep)
        self.remedies = Remedies(
            SPEC, self.memory, self.casebook, self.climber, audit, self.inhibit, self.clock
        )
        engines = {name: engine(phase=Phase.SERVING, gpus=gpus) for name, gpus in GPUS.items()}
        self.memory.change(engines=engines, boot="boot-1")

    async def sleep(self, seconds: float) -> None:
        self.journal.append(f"sleep {seconds:.0f}")

    def put(self, name: str, **facts: object) -> None:
        before: EngineState = self.memory.state.engines[name]
        self.memory.put(name, msgspec.structs.replace(before, **facts))

    def out(self, *names: str) -> None:
        for name in names:
            self.put(name, phase=Phase.DRAINED, goal=Goal.FAULT, by=AGENT)

    async def tick(
        self, *needs: Condition, moving: frozenset[str] = frozenset(), **running: bool | None
    ) -> tuple[Condition, ...]:
        """One round: weigh, act, and wait for what was begun."""
        self.clock.now += 1.0
        told = self.remedies.weigh(needs, moving)
        self.remedies.act({**STOPPED, **running})
        await self.climber.settled()
        return told

    @property
    def waits(self) -> list[tuple[str, str]]:
        return [(one.subject, one.waits) for one in self.remedies.steps]


@pytest.fixture
async def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def need(subject: str, remedy: Remedy, since: float = 999_000.0) -> Condition:
    facts = {"check": "c", "status": Status.FAIL, "reason": "R", "message": "m"}
    return Condition(subject=subject, remedy=remedy, since=since, **facts)  # type: ignore[arg-type]


RESET_A, REBOOT_A = need("gpu:A", Remedy.RESET), need("gpu:A", Remedy.REBOOT)


async def test_a_reset_stops_its_own_engine_alone(rig: Rig) -> None:
    assert await rig.tick(RESET_A) == (RESET_A,)
    assert await rig.tick(RESET_A) == (RESET_A,)
    assert rig.remedies.halting() == {"one"}
    assert rig.waits == [("gpu:A", "EnginesDraining")]
    rig.out("one")
    await rig.tick(RESET_A, one=True)
    assert rig.waits == [("gpu:A", "EnginesStopping")]
    await rig.tick(RESET_A)
    assert "reset gpu:A" in rig.journal


async def test_a_reboot_drains_and_stops_everybody_once_it_has_a_slot(rig: Rig) -> None:
    assert await rig.tick(REBOOT_A) == (REBOOT_A,)
    assert (rig.waits, rig.remedies.halting()) == ([("node", "NoSlot")], frozenset())
    told = await rig.tick(REBOOT_A)
    assert [one.reason for one in told] == ["R", "RebootPending"]
    assert rig.remedies.halting() == set(GPUS)
    rig.out(*GPUS)
    await rig.tick(REBOOT_A)
    assert "reboot" in rig.journal


async def test_engines_that_serve_are_not_drained_while_there_is_no_slot(rig: Rig) -> None:
    """Else all nodes of a fleet with a common fault would drain at once and wait in a row."""
    rig.server.full = True
    for _ in range(5):
        assert await rig.tick(REBOOT_A) == (REBOOT_A,)
    assert rig.journal == ["acquire"]
    assert rig.remedies.halting() == frozenset()


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.DRAINED])
async def test_a_reboot_waits_for_the_person_at_work_and_nobody_waits_with_it(
    rig: Rig, phase: Phase
) -> None:
    rig.put("two", phase=phase, by="alice", goal=Goal.MAINTENANCE)
    for _ in range(3):
        assert await rig.tick(REBOOT_A) == (REBOOT_A,)
    assert rig.waits == [("node", "PersonAtWork")]
    assert rig.remedies.halting() == frozenset()
    assert "acquire" not in rig.journal


async def test_a_person_at_work_keeps_no_other_gpu_from_its_reset(rig: Rig) -> None:
    rig.put("two", phase=Phase.DRAINED, by="alice", goal=Goal.MAINTENANCE)
    rig.out("one")
    for _ in range(2):
        await rig.tick(RESET_A, need("gpu:B", Remedy.REBOOT))
    assert "reset gpu:A" in rig.journal
    assert ("node", "PersonAtWork") in rig.waits


async def test_an_inhibited_node_drains_nobody_for_a_reboot(rig: Rig) -> None:
    rig.inhibit.touch()
    for _ in range(3):
        assert await rig.tick(REBOOT_A) == (REBOOT_A,)
    assert rig.waits == [("node", "Inhibited")]
    assert "acquire" not in rig.journal


@pytest.mark.parametrize(
    ("subject", "moving", "latched"),
    [
        ("gpu:D", frozenset(), False),  # no engine uses it
        ("gpu:A", frozenset({"one"}), False),  # its engine goes on elsewhere
        ("gpu:A", frozenset(), True),  # its engine would not come back by itself
    ],
)
async def test_no_reboot_for_what_no_engine_needs(
    rig: Rig, subject: str, moving: frozenset[str], latched: bool
) -> None:
    if latched:
        rig.put("one", phase=Phase.QUARANTINED)
    fault = need(subject, Remedy.REBOOT)
    for _ in range(3):
        assert await rig.tick(fault, moving=moving) == (fault,)
    assert rig.waits == [("node", "Unused")]
    assert "acquire" not in rig.journal


async def test_a_gpu_that_no_engine_uses_is_reset_beside_those_that_serve(rig: Rig) -> None:
    for _ in range(2):
        await rig.tick(need("gpu:D", Remedy.RESET), one=True, two=True, cpu=True)
    assert "reset gpu:D" in rig.journal


async def test_a_reset_of_all_gpus_waits_for_every_engine_that_has_one(rig: Rig) -> None:
    fabric = need("fabric", Remedy.RESET)
    await rig.tick(fabric)
    told = await rig.tick(fabric)
    assert [(one.subject, one.reason) for one in told[1:]] == [("gpu:unknown", "ResetPending")]
    assert rig.remedies.halting() == {"one", "two"}
    rig.out("two")
    await rig.tick(fabric)
    assert rig.waits == [("fabric", "EnginesDraining")]
    rig.out("one")
    await rig.tick(fabric, cpu=True)
    assert "reset fabric" in rig.journal


async def test_a_reset_of_all_gpus_settles_the_switch_that_asked_for_it(rig: Rig) -> None:
    fault = KernelFault(
        gpu="00000000:c4:00", xid=12028, kind=Kind.SXID, fatal=True, at=rig.clock.now, boot="boot-1"
    )
    rig.casebook.told([fault])
    rig.clock.now += 10
    rig.casebook.judge()
    rig.out("one", "two")
    for _ in range(3):
        await rig.tick(*rig.casebook.conditions())
    assert rig.journal.count("reset fabric") == 1
    assert rig.casebook.conditions() == ()


async def test_while_a_rung_is_under_way_nothing_is_started_beneath_it(rig: Rig) -> None:
    """The driver may say that all is well before the reset has ended."""
    rig.out("one")
    under_way = Attempt(
        rung=Remedy.REBOOT, subject="node", reason="R", began=rig.clock.now, boot="boot-1"
    )
    rig.memory.change(attempts=(under_way,))
    (told,) = await rig.tick()
    assert (told.subject, told.remedy, told.reason) == ("node", Remedy.DRAIN, "RungUnderWay")


async def test_the_slot_is_given_back_when_no_fault_keeps_anybody_out(rig: Rig) -> None:
    await rig.tick(REBOOT_A)
    assert rig.climber.granted
    await rig.tick(one=True)
    assert rig.journal == ["acquire", "release"]


@pytest.mark.parametrize(
    ("facts", "needs", "given"),
    [
        ({"phase": Phase.DRAINED, "by": "alice", "goal": Goal.MAINTENANCE}, (), True),
        ({"phase": Phase.QUARANTINED}, (), True),  # by itself: no slot brings it back
        ({"phase": Phase.SERVING}, (need("gpu:D", Remedy.REBOOT),), True),  # of no engine
        ({"phase": Phase.STARTING, "out": True}, (), False),
        ({"phase": Phase.QUARANTINED, "out": True}, (), False),
        ({"phase": Phase.SERVING, "out": True}, (), True),
    ],
)
async def test_who_keeps_the_slot(
    rig: Rig, facts: dict[str, Any], needs: tuple[Condition, ...], given: bool
) -> None:
    out = ("one",) if facts.pop("out", False) else ()
    rig.memory.change(slots=Slots(name="host.1", out=out))
    rig.put("one", **facts)
    for _ in range(3):
        await rig.tick(*needs)
    assert rig.journal.count("release") == given


def slot(rig: Rig) -> None:
    """The slot has a name, as the real one has before it is asked for."""
    rig.memory.change(slots=Slots(name="host.1"))


@pytest.mark.parametrize(
    "facts",
    [
        {"phase": Phase.QUARANTINED, "by": AGENT, "goal": None},
        {"phase": Phase.DRAINED, "by": "alice", "goal": Goal.MAINTENANCE},  # from quarantine
    ],
)
async def test_an_engine_that_does_not_come_back_from_its_reset_keeps_the_slot(
    rig: Rig, facts: dict[str, object]
) -> None:
    slot(rig)
    rig.out("one")
    for _ in range(2):
        await rig.tick(RESET_A)
    assert "reset gpu:A" in rig.journal
    kept = rig.memory.state.slots.out
    rig.put("one", **facts)
    await rig.tick(two=True, cpu=True)
    assert (kept, "release" in rig.journal) == (("one",), False)
    rig.put("one", phase=Phase.SERVING)
    await rig.tick(one=True, two=True, cpu=True)
    assert "release" in rig.journal


async def test_one_in_quarantine_before_a_reboot_is_not_out_by_it(rig: Rig) -> None:
    slot(rig)
    rig.put("two", phase=Phase.QUARANTINED)
    rig.out("one", "cpu")
    for _ in range(2):
        await rig.tick(REBOOT_A)
    assert ("reboot" in rig.journal, rig.memory.state.slots.out) == (True, ("cpu", "one"))


async def test_those_drained_for_a_rung_that_is_not_needed_any_more_keep_the_slot(
    rig: Rig,
) -> None:
    slot(rig)
    for _ in range(2):
        await rig.tick(REBOOT_A)
    rig.remedies.weigh((REBOOT_A,))
    rig.out("two")  # drained in this round, to make way
    rig.remedies.act(STOPPED)
    assert rig.memory.state.slots.out == ("two",)
    await rig.tick(one=True)
    assert "release" not in rig.journal


async def test_a_rung_that_cannot_be_remembered_takes_nobody_out(rig: Rig, tmp_path: Path) -> None:
    slot(rig)
    rig.out("one")
    (tmp_path / "state.json.new").mkdir()
    for _ in range(2):
        await rig.tick(RESET_A)
    assert "reset gpu:A" not in rig.journal
    assert (rig.memory.state.attempts, rig.memory.state.slots.out) == ((), ())


async def test_a_rung_is_remembered_before_and_after_and_over_a_crash(
    rig: Rig, tmp_path: Path
) -> None:
    rig.rungs.error = "in use by x (1)"
    rig.out("one")
    for _ in range(2):
        await rig.tick(RESET_A)
    kept = msgspec.json.decode((tmp_path / "state.json").read_bytes(), type=NodeState)
    (attempt,) = kept.attempts
    assert (attempt.outcome, attempt.message) == (Outcome.FAILED, "in use by x (1)")
    running = msgspec.structs.replace(attempt, outcome=Outcome.RUNNING, ended=None)
    rig.memory.change(attempts=(running,))
    rig.remedies.begin()
    (closed,) = rig.memory.state.attempts
    assert (closed.outcome, closed.message) == (Outcome.FAILED, "the agent ended in it")
    assert (tmp_path / "audit").read_text().count("rung ended") == 2
