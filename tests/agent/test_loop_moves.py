"""Engines that go on elsewhere, starts that were cut off, and looks that tell of another time."""

from pathlib import Path

import msgspec
import pytest

from agent.model import Phase, Remedy
from agent.outs import Outs, Placement
from agent.reports import Started
from agent.sources.engine import Answer
from agent.sources.gpu import Gpu
from agent.spec import HostSpec
from agent.state import NodeState
from agent.store import Store
from tests.agent.fakes import JournalStore, gone, look, nvml
from tests.agent.node import DATA, UNIT, Node, engine
from tests.agent.test_loop_faults import STARTED, phase, serving, told
from tests.agent.xid.making import GPU
from tests.agent.xid.test_ledger import folded, settled
from tests.agent.xid.test_ledger import told as ledger_of

ARMED = {**DATA, "agent_failures": 1, "agent_arm_reset": True, "agent_arm_reboot": True}
TWO_GPUS = HostSpec.from_data("host", {**ARMED, "driver_gpu_count": 2})


def lost(index: int = 0) -> Gpu:
    return Gpu(index=index, uuid=f"GPU-{index}", pci=f"00000000:0{index}:00.0", error=15)


async def test_an_engine_goes_on_on_a_spare_gpu_and_the_host_is_not_rebooted(
    tmp_path: Path,
) -> None:
    node = Node(tmp_path, TWO_GPUS)
    node.nvml.value, node.pci.value = nvml(2), 2
    await serving(node)
    node.nvml.value = msgspec.structs.replace(nvml(2), gpus=(lost(), nvml(2).gpus[1]))
    for _ in range(3):
        await node.tick()
    assert f"restart {UNIT}" in node.acts
    placement = Outs(tmp_path / "outs.json").read()
    assert placement == Placement(out=frozenset({"GPU-0"}), held={"main": ("GPU-0",)})
    moved = Started(
        engine="main", digest="d", container="e", gpus=("GPU-1",), started=node.clock.now
    )
    node.engine.value = look(started=moved)
    for _ in range(12):
        await node.tick()
    assert phase(node) is Phase.SERVING
    assert [(one.rung, one.waits) for one in node.shown.steps] == [(Remedy.REBOOT, "Unused")]
    assert "reboot" not in node.acts


async def test_without_a_spare_gpu_the_host_is_rebooted_behind_a_stopped_engine(
    tmp_path: Path,
) -> None:
    node = Node(tmp_path, TWO_GPUS)
    node.pci.value = 2
    await serving(node)
    node.nvml.value = msgspec.structs.replace(nvml(2), gpus=(lost(), lost(1)))
    for _ in range(4):
        await node.tick()
    assert (phase(node), node.acts[-1]) == (Phase.DRAINED, f"stop {UNIT}")
    node.engine.value = gone()
    for _ in range(6):
        await node.tick()
    assert "reboot" in node.acts


async def test_an_engine_that_never_stops_is_not_pulled_the_gpu_from_under(tmp_path: Path) -> None:
    node = await serving(Node(tmp_path, HostSpec.from_data("host", ARMED)))
    node.loop.told([told(node, "64, pid=1, name=x, row remapping failure")])
    for _ in range(60):
        await node.tick(10.0)
    assert "reset gpu:GPU-0" not in node.acts
    assert node.shown.steps[0].waits == "EnginesStopping"
    assert node.acts.count(f"stop {UNIT}") > 10  # it is tried for ever


async def test_a_fatal_line_is_not_overruled_by_a_look_that_began_before_it(
    tmp_path: Path,
) -> None:
    node = await serving(Node(tmp_path))

    async def falls_off() -> None:
        node.engine.meanwhile = None
        node.clock.now += 0.5
        node.loop.told([told(node, "79, pid=1, name=x, GPU has fallen off the bus.")])

    node.engine.meanwhile = falls_off
    await node.tick()
    assert (phase(node), node.gates.open["main"]) == (Phase.DRAINED, False)
    assert node.acts == []  # what was seen is of another time
    await node.tick()
    assert f"stop {UNIT}" in node.acts


async def test_after_a_boot_no_engine_is_started_on_a_latched_gpu(tmp_path: Path) -> None:
    latched = settled(folded(ledger_of(54)))
    state = NodeState(
        boot="boot-1",
        engines={"main": engine(phase=Phase.SERVING, gpus=("GPU-1",))},
        ledger=latched,
        buses={GPU: "GPU-0"},
    )
    Store(tmp_path / "state.json").save(state)
    node = Node(tmp_path, boot="boot-2")
    node.loop.begin()
    assert node.converger.busy("main")
    assert Outs(tmp_path / "outs.json").read().out == {"GPU-0"}


async def test_a_gate_is_opened_by_a_look_and_not_by_memory(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.remember(phase=Phase.SERVING, gpus=("GPU-0",))
    node.engine.value = look(started=STARTED)
    node.loop.begin()
    assert "main" not in node.gates.was_open
    node.loop.told([told(node, "79, pid=1, name=x, GPU has fallen off the bus.")])
    await node.tick()
    assert "main" not in node.gates.was_open


@pytest.mark.parametrize(
    ("health", "started", "starts"),
    [
        (Answer.BAD, 1.0, True),
        (Answer.OK, 1.0, True),
        (Answer.REFUSED, 1.0, False),  # it may be a new one that prepares itself
        (Answer.BAD, 990.0, False),  # it is the new one
    ],
)
async def test_a_start_that_was_cut_off_is_made_up_for(
    tmp_path: Path, health: Answer, started: float, starts: bool
) -> None:
    node = Node(tmp_path)
    node.remember(phase=Phase.STARTING, since=990.0, last_start=990.0, starts=(990.0,))
    before = msgspec.structs.replace(STARTED, started=started)
    node.engine.value = look(started=before, health=health, chat=None)
    node.loop.begin()
    await node.tick()
    await node.tick()
    assert (f"restart {UNIT}" in node.acts) is starts
    assert len(node.state.starts) == 1 + starts  # the budget bounds it


class KilledError(BaseException):
    """The agent is no more."""


class Cut(JournalStore):
    """A disk that is written to once before the agent dies."""

    def save(self, state: NodeState) -> None:
        if "save" in self.journal:
            raise KilledError
        super().save(state)


class Dying(Node):
    def furnish(self, path: Path) -> None:
        super().furnish(path)
        self.store = Cut(path / "state.json", self.journal)


async def test_a_boot_that_was_cut_off_between_two_engines_starts_both(tmp_path: Path) -> None:
    engines = {"a": {"port": 8080}, "b": {"port": 8081}}
    data = {**DATA, "driver_gpu_count": 2, "engines": engines, "agent_remediation": "observe"}
    spec = HostSpec.from_data("host", data)
    both = {name: engine(phase=Phase.SERVING) for name in engines}
    Store(tmp_path / "state.json").save(NodeState(boot="boot-1", engines=both))
    with pytest.raises(KilledError):
        Dying(tmp_path, spec, boot="boot-2").loop.begin()
    after = Node(tmp_path, spec, boot="boot-2")
    after.loop.begin()
    await after.converger.settled()
    names = {"stoker-engine@a.service", "stoker-engine@b.service"}
    assert {f"restart {name}" for name in names} <= set(after.acts)
