"""Faults of GPUs in the loop: traffic stops at once, a remedy is chosen later, and never twice."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from agent.errors import ActionError
from agent.fleetlock import SLOTS_TAKEN, Granted, Refused
from agent.ladder import Attempt, Outcome
from agent.model import Goal, Phase, Remedy, Verb
from agent.reports import Started
from agent.spec import HostSpec
from agent.xid import line
from agent.xid.fault import KernelFault, from_event
from tests.agent.fakes import gone, look, nvml
from tests.agent.node import DATA, UNIT, Node

BUS = "0000:00:00"
OURS, OTHER = 4711, 99
ARMED = HostSpec.from_data(
    "host", {**DATA, "agent_failures": 1, "agent_arm_reset": True, "agent_arm_reboot": True}
)
STARTED = Started(engine="main", digest="d", container="c", gpus=("GPU-0",), started=1.0)


def told(node: Node, text: str, seq: int = 1) -> KernelFault:
    found = line.parse(f"NVRM: Xid (PCI:{BUS}): {text}")
    assert found
    return msgspec.structs.replace(found, at=node.clock.now, boot="boot-1", seq=seq)


def phase(node: Node) -> Phase:
    return node.shown.engines["main"].state.phase


async def serving(node: Node) -> Node:
    node.remember(phase=Phase.SERVING, gpus=("GPU-0",))
    node.engine.value, node.nvml.value = look(started=STARTED), nvml()
    node.pids.value = {"main": frozenset({OURS})}
    node.loop.begin()
    await node.tick()
    node.journal.clear()
    assert phase(node) is Phase.SERVING
    return node


@pytest.fixture
async def node(tmp_path: Path) -> Node:
    return await serving(Node(tmp_path))


@pytest.fixture
async def armed(tmp_path: Path) -> Node:
    return await serving(Node(tmp_path, ARMED))


async def test_a_fatal_line_shuts_the_gate_before_anything_is_looked_at_or_written(
    node: Node,
) -> None:
    node.store.broken = True
    node.loop.told([told(node, "79, pid=1, name=x, GPU has fallen off the bus.")])
    assert node.gates.open["main"] is False
    assert phase(node) is Phase.DRAINED
    assert node.journal == []


async def test_requests_in_flight_are_waited_for_where_they_can_finish(node: Node) -> None:
    node.engine.value = look(started=STARTED, in_flight=2)
    node.loop.told([told(node, "64, pid=1, name=x, row remapping failure")])
    assert phase(node) is Phase.DRAINING
    await node.tick()
    assert (phase(node), node.acts) == (Phase.DRAINING, [])


async def test_harmless_company_undoes_the_drain(node: Node) -> None:
    """The driver says that it needs nothing more: what came before is settled."""
    node.engine.value = look(started=STARTED, in_flight=2)
    node.loop.told([told(node, "109, pid=1, name=x, context switch timeout")])
    assert phase(node) is Phase.DRAINING
    text = "154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)"
    node.loop.told([told(node, text, seq=2)])
    await node.tick(6.0)
    assert phase(node) is Phase.SERVING
    assert node.acts == []


async def test_a_process_of_somebody_else_is_not_our_fault(node: Node) -> None:
    node.loop.told([told(node, f"31, pid={OTHER}, name=python, MMU Fault: ENGINE GRAPHICS")])
    for _ in range(8):
        await node.tick()
    assert (phase(node), node.acts) == (Phase.SERVING, [])
    assert node.shown.incidents == ()
    assert len(node.shown.incidents_closed) == 1


async def test_our_own_process_is_restarted_and_proves_the_gpu(node: Node) -> None:
    node.loop.told([told(node, f"31, pid={OURS}, name=python, MMU Fault: ENGINE GRAPHICS")])
    node.loop.told([from_event("00000000:00:00.0", 31, node.clock.now + 0.5, "boot-1")])
    assert phase(node) is Phase.DRAINING
    node.engine.value = gone()
    await node.tick()
    assert node.acts == []  # the GPU's verdict is awaited before a start on it
    await node.tick(6.0)
    assert node.acts == [f"restart {UNIT}"]
    assert len(node.shown.incidents) == 1  # from both sources together
    node.engine.value = look(started=msgspec.structs.replace(STARTED, started=node.clock.now))
    await node.tick()
    assert phase(node) is Phase.SERVING
    assert not node.shown.incidents


async def test_unarmed_a_reset_is_only_advised(node: Node) -> None:
    node.loop.told([told(node, "64, pid=1, name=x, row remapping failure")])
    for _ in range(20):
        await node.tick()
    assert (phase(node), node.state.goal) == (Phase.DRAINED, Goal.FAULT)
    assert node.acts == []
    (step,) = node.shown.steps
    assert (step.rung, step.subject, step.waits) == (Remedy.RESET, "gpu:GPU-0", "NotArmed")


async def needs_reset(node: Node) -> None:
    """Bring the node to where its engine is stopped for a reset, which may begin at next tick."""
    node.loop.told([told(node, "64, pid=1, name=x, row remapping failure")])
    await node.tick(6.0)
    for _ in range(4):
        await node.tick()
    assert node.acts[-1] == f"stop {UNIT}"
    assert node.shown.steps[0].waits == "EnginesStopping"
    node.engine.value = gone()
    node.journal.clear()


async def test_armed_the_gpu_is_reset_behind_a_stopped_engine_which_then_serves(
    armed: Node,
) -> None:
    await needs_reset(armed)
    await armed.tick()
    assert armed.acts == ["let go", "reset gpu:GPU-0", "look again"]
    assert armed.journal.index("save") < armed.journal.index("reset gpu:GPU-0")
    await armed.tick()
    assert armed.acts[-1] == f"restart {UNIT}"
    armed.engine.value = look(started=msgspec.structs.replace(STARTED, started=armed.clock.now))
    await armed.tick()
    assert phase(armed) is Phase.SERVING
    assert armed.shown.attempts[0].outcome is Outcome.DONE


async def test_a_reset_that_failed_is_followed_by_a_reboot_and_that_by_a_person(
    armed: Node, tmp_path: Path
) -> None:
    await needs_reset(armed)
    armed.rungs.error = "in use by dcgm (77)"
    await armed.tick()
    assert "reset gpu:GPU-0" in armed.acts
    armed.rungs.error = ""
    await armed.look_only()
    await asyncio.sleep(0)
    await armed.climber.settled()
    assert armed.acts.count("reset gpu:GPU-0") == 1
    assert armed.acts.count("reboot") == 1
    after = Node(tmp_path, ARMED, boot="boot-2")
    after.loop.begin()
    assert [one.outcome for one in after.memory.state.attempts] == [Outcome.FAILED, Outcome.FAILED]


async def test_after_a_reboot_the_same_fault_ends_in_quarantine(tmp_path: Path) -> None:
    node = Node(tmp_path, ARMED)
    done = {"boot": "boot-0", "reason": "R", "outcome": Outcome.DONE}
    node.remember(phase=Phase.SERVING, gpus=("GPU-0",))
    state = node.store.load()
    assert state
    attempts = tuple(
        Attempt(rung=rung, subject=subject, began=900.0, ended=950.0, **done)  # type: ignore[arg-type]
        for rung, subject in ((Remedy.RESET, "gpu:GPU-0"), (Remedy.REBOOT, "node"))
    )
    node.store.save(msgspec.structs.replace(state, attempts=attempts))
    node.engine.value, node.nvml.value = look(started=STARTED), nvml(recovery_action=1)
    node.loop.begin()
    for _ in range(6):
        await node.tick()
    assert phase(node) is Phase.QUARANTINED
    assert not {"reboot", "reset gpu:GPU-0"} & set(node.acts)


async def test_what_cannot_be_remembered_is_not_begun(armed: Node) -> None:
    await needs_reset(armed)
    armed.store.broken = True
    for _ in range(3):
        await armed.tick()
    assert "reset gpu:GPU-0" not in armed.acts


class FullSlot:
    """A FleetLock server whose slots are taken until `free`."""

    def __init__(self) -> None:
        self.free = False
        self.calls: list[str] = []

    async def acquire(self) -> Granted | Refused:
        self.calls.append("acquire")
        if self.free:
            return Granted("yours")
        return Refused(reason=SLOTS_TAKEN, message="all 1 slots are taken")

    async def release(self) -> Refused | None:
        self.calls.append("release")
        return None


async def test_without_a_slot_nothing_is_stopped_or_reset(tmp_path: Path) -> None:
    slot = FullSlot()
    node = await serving(Node(tmp_path, ARMED, slot=slot))
    assert slot.calls == ["release"]  # it came back well
    node.loop.told([told(node, "64, pid=1, name=x, row remapping failure")])
    await node.tick(6.0)
    for _ in range(6):
        await node.tick()
    assert slot.calls == ["release", "acquire"]  # and is not asked in a loop
    assert (phase(node), node.acts) == (Phase.DRAINED, [])
    assert node.shown.steps[0].waits == "NoSlot"


async def test_an_inhibited_node_waits(armed: Node) -> None:
    await needs_reset(armed)
    armed.inhibit.touch()
    await armed.tick()
    assert armed.shown.steps[0].waits == "Inhibited"
    armed.inhibit.unlink()
    for _ in range(2):  # it has no slot any more: who is held back holds up nobody
        await armed.tick()
    assert "reset gpu:GPU-0" in armed.acts


async def test_a_gpu_in_a_persons_hands_is_not_reset(armed: Node) -> None:
    armed.ask(Verb.DRAIN)
    for _ in range(4):
        await armed.tick()
    armed.loop.told([told(armed, "64, pid=1, name=x, row remapping failure")])
    for _ in range(8):
        await armed.tick()
    assert armed.acts == []
    assert armed.shown.steps[0].waits == "PersonAtWork"


async def test_a_latch_opens_by_a_named_person_only(node: Node) -> None:
    node.nvml.value = nvml(remap_failed=True)
    node.loop.told([told(node, "64, pid=1, name=x, row remapping failure")])
    for _ in range(10):
        await node.tick()
    assert phase(node) is Phase.QUARANTINED
    (incident,) = node.shown.incidents
    with pytest.raises(ActionError, match="no open incident 'x'"):
        node.loop.acknowledge("x", "alice", "replaced")
    node.nvml.value, node.engine.value = nvml(), gone()
    node.loop.acknowledge(incident.id, "alice", "replaced")
    await node.tick()
    assert node.shown.incidents == ()
    assert node.shown.incidents_closed[-1].by == "alice"
    node.ask(Verb.UNDRAIN)
    await node.tick()
    assert node.acts[-1] == f"restart {UNIT}"


async def test_the_same_line_read_again_after_a_crash_is_the_same_fault(
    node: Node, tmp_path: Path
) -> None:
    fault = told(node, f"31, pid={OURS}, name=python, MMU Fault: ENGINE GRAPHICS", seq=7)
    node.loop.told([fault])
    await node.tick()
    again = Node(tmp_path)
    again.engine.value, again.nvml.value = look(started=STARTED), nvml()
    again.clock.now = node.clock.now
    again.loop.begin()
    again.loop.told([fault])
    await again.tick()
    assert [one.count for one in again.shown.incidents] == [1]
    assert phase(again) in {Phase.DRAINING, Phase.DRAINED}
