"""The parent of the NVML worker outlives everything that a driver can do to the worker."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.sources.gpu import NvmlReading
from agent.sources.nvml import NoGpus, NvmlSource, Patience
from agent.sources.nvml_child import Child, Process
from tests.agent.fakes import FakeClock
from tests.agent.nvml_rig import PCI, command, reset, simulated
from tests.sandbox.nvml.state import NvmlState

SHORT = Patience(answer=0.4, start=4.0, burial=2.0, pause=0.3, again=60.0)
BUS = ("00000000:06:00", "00000000:07:00")

DIES = "import sys; sys.stdin.readline(); sys.exit(1)"
GARBLED = "import sys; sys.stdin.readline(); print('{', flush=True); sys.stdin.readline()"
# A driver that was replaced: the first process of them keeps the old library.
REPLACED = """
import os, sys
old = not os.path.exists(sys.argv[1])
open(sys.argv[1], "w")
for number, _ in enumerate(sys.stdin):
    print('{"error": 18, "error_text": "mismatch"}' if old and number else '{}', flush=True)
"""
# Numbers its answers; each comes only when the file in argv is there.
WAITS = """
import os, sys, time
for number, _ in enumerate(sys.stdin):
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.005)
    print('{"driver": "%d"}' % number, flush=True)
"""


@pytest.fixture
def state(tmp_path: Path) -> NvmlState:
    return simulated(tmp_path)


class Nursery:
    """Starts real children and remembers them; those of `undead` are not ended by a kill."""

    def __init__(self) -> None:
        self.children: list[Process] = []
        self.undead = False

    async def start(self, command: Sequence[str]) -> Child:
        child = await Process.start(command)
        self.children.append(child)
        return Undead(child) if self.undead else child

    def kill(self) -> None:
        for child in self.children:
            with suppress(ProcessLookupError):
                os.kill(child._process.pid, signal.SIGKILL)


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.kill()


class Undead:
    """A child in an uninterruptible call: it does not answer a kill."""

    def __init__(self, child: Process) -> None:
        self._child = child

    @property
    def place(self) -> int | None:
        return self._child.place

    @property
    def has_ended(self) -> bool:
        return self._child.has_ended

    async def ask(self, line: bytes) -> bytes:
        return await self._child.ask(line)

    async def line(self) -> bytes:
        return await self._child.line()

    def kill(self) -> None:
        pass

    async def ended(self, within: float) -> bool:
        return await self._child.ended(min(within, 0.05))


def source(
    state: NvmlState,
    start: Callable[[Sequence[str]], Awaitable[Child]] = Process.start,
    clock: Callable[[], float] = time.time,
    patience: Patience = SHORT,
) -> NvmlSource:
    return NvmlSource(command(state, "-m", "agent.nvml.worker"), patience, start, clock)


def program(text: str, *arguments: str, patience: Patience = SHORT) -> NvmlSource:
    return NvmlSource((sys.executable, "-c", text, *arguments), patience)


async def until_answered(made: NvmlSource, within: float = 10.0) -> NvmlReading:
    """Read again and again, as the loop does."""
    async with asyncio.timeout(within):
        while True:
            try:
                return await made.read()
            except SourceError:
                await asyncio.sleep(0.05)


async def test_polls_one_worker_again_and_again(state: NvmlState) -> None:
    made = source(state)
    for _ in range(3):
        assert [gpu.pci for gpu in (await made.read()).gpus] == [*PCI]
    assert made.health.respawns == 0
    await made.close()


async def test_slow_facts_are_refreshed_on_demand(state: NvmlState) -> None:
    made = source(state)
    await made.read()
    state.set(0, "remapped.failed", 1)
    assert (await made.read()).gpus[0].remap_failed is False
    made.refresh()
    assert (await made.read()).gpus[0].remap_failed is True
    await made.close()


async def test_a_call_that_never_returns_is_flagged_within_five_seconds(state: NvmlState) -> None:
    """With the times of production; the call begins to hang between two polls."""
    made = source(state, patience=Patience())
    await made.read()
    state.hang("nvmlDeviceGetPowerUsage", gpu=0, uninterruptible=True)
    begun = time.monotonic()
    with pytest.raises(SourceError, match=rf"on GPU {BUS[0]} has not returned since \d\d:\d\d:"):
        await made.read()
    assert time.monotonic() - begun < 5.0
    assert [one.pci for one in made.health.hung] == [BUS[0]]
    assert made.health.hung_since == pytest.approx(time.time(), abs=5.0)
    await made.close()


async def test_the_other_gpus_stay_in_sight_of_one_that_hangs(state: NvmlState) -> None:
    clock = FakeClock()
    made = source(state, clock=clock)
    await made.read()
    state.hang("nvmlDeviceGetPowerUsage", gpu=0)
    with pytest.raises(SourceError):
        await made.read()
    begun = time.monotonic()
    hung, other = (await made.read()).gpus  # at once, and without the one that hangs
    assert time.monotonic() - begun < SHORT.start
    assert (hung.pci, hung.temperature, hung.error) == (PCI[0], None, None)
    assert hung.error_text.startswith(f"not called: a driver call on GPU {BUS[0]}")
    assert (other.pci, other.temperature) == (PCI[1], 35)
    assert made.health.hung_since == 1000.0
    clock.now += 60.0  # it is tried again, and hangs still: the first time counts
    with pytest.raises(SourceError):
        await made.read()
    assert made.health.hung_since == 1000.0
    state.release("nvmlDeviceGetPowerUsage", gpu=0)
    clock.now += 60.0
    assert [gpu.temperature for gpu in (await made.read()).gpus] == [35, 35]
    assert made.health.hung == ()
    await made.close()


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetCount"])
async def test_a_driver_that_hangs_as_a_whole(state: NvmlState, call: str) -> None:
    made = source(state, patience=Patience(answer=0.2, start=0.6, pause=0.3))
    state.hang(call)
    with pytest.raises(SourceError, match="a driver call has not returned since"):
        await made.read()
    with pytest.raises(SourceError, match=r"has not returned since .*; the next NVML worker"):
        await made.read()  # no second child at once
    state.release(call)
    assert len((await until_answered(made)).gpus) == 2
    assert made.health.hung == ()
    await made.close()


async def test_hands_off_by_order(state: NvmlState) -> None:
    made = source(state)
    await made.read()
    state.hang("*", gpu=1)
    made.hands_off = {"0000:07:00": "Xid 119"}
    well, left = (await made.read()).gpus
    assert (well.temperature, left.temperature) == (35, None)
    assert (left.pci, left.error_text) == (PCI[1], "not called: Xid 119")
    assert made.health.hung == ()
    await made.close()


async def test_at_most_one_abandoned_child_a_gpu(state: NvmlState, nursery: Nursery) -> None:
    clock = FakeClock()
    nursery.undead = True
    made = source(state, nursery.start, clock)
    await made.read()
    for gpu in (0, 1):
        state.hang("nvmlDeviceGetPowerUsage", gpu=gpu)
        with pytest.raises(SourceError):
            await made.read()
    clock.now += 3600.0
    for _ in range(5):  # each GPU holds a child: neither is called again
        assert [gpu.temperature for gpu in (await made.read()).gpus] == [None, None]
    assert (made.health.abandoned, len(nursery.children)) == (2, 3)
    nursery.children[0].kill()  # the driver lets one go at last
    await nursery.children[0].ended(5.0)
    state.release("nvmlDeviceGetPowerUsage", gpu=0)
    assert [gpu.temperature for gpu in (await made.read()).gpus] == [35, None]
    assert [one.pci for one in made.health.hung] == [BUS[1]]


async def test_no_child_beside_one_that_the_whole_driver_holds(
    state: NvmlState, nursery: Nursery
) -> None:
    nursery.undead = True
    made = source(state, nursery.start, patience=Patience(answer=0.1, start=0.5, pause=0.01))
    state.hang("nvmlInit")
    with pytest.raises(SourceError):
        await made.read()
    await asyncio.sleep(0.05)
    for _ in range(5):
        with pytest.raises(SourceError, match="the driver holds a killed NVML worker"):
            await made.read()
    assert (made.health.abandoned, len(nursery.children)) == (1, 1)
    with pytest.raises(SourceError, match="the driver holds"):
        await made.close()
    state.release("nvmlInit")
    nursery.kill()
    await nursery.children[0].ended(5.0)
    nursery.undead = False
    await made.close()
    made.resume()
    assert len((await until_answered(made)).gpus) == 2
    await made.close()


async def test_a_stopped_worker_is_killed_and_replaced(state: NvmlState, nursery: Nursery) -> None:
    made = source(state, nursery.start)
    await made.read()
    os.kill(nursery.children[0]._process.pid, signal.SIGSTOP)
    with pytest.raises(SourceError, match="has not returned"):
        await made.read()
    assert len((await until_answered(made)).gpus) == 2
    assert nursery.children[0].has_ended
    assert made.health.respawns == 1
    await made.close()


async def test_a_lost_gpu_keeps_its_names_in_a_fresh_worker_and_may_come_back_there(
    state: NvmlState,
) -> None:
    made = source(state)
    uuids = [gpu.uuid for gpu in (await made.read()).gpus]
    state.lose(0)
    assert [gpu.error for gpu in (await made.read()).gpus] == [15, None]
    await made.close()
    made.resume()
    lost, _ = (await made.read()).gpus
    assert (lost.error, lost.uuid) == (15, uuids[0])
    state.set(0, "lost", 0)
    await made.close()
    made.resume()
    assert [gpu.error for gpu in (await made.read()).gpus] == [None, None]
    await made.close()


async def test_closing_lets_a_reset_through_and_resuming_sees_the_gpu_well(
    state: NvmlState,
) -> None:
    made = source(state)
    state.require_reset(0)
    assert (await made.read()).gpus[0].error == 16
    assert not reset(state, 0)  # our own handle is in the way
    await made.close()
    with pytest.raises(SourceError, match="let go of"):
        await made.read()
    assert reset(state, 0)
    made.resume()
    assert (await made.read()).gpus[0].error is None
    await made.close()


async def test_a_replaced_driver_gets_a_new_process_at_once(tmp_path: Path) -> None:
    made = program(REPLACED, str(tmp_path / "replaced"))
    for _ in range(3):
        assert (await made.read()).error is None
    assert made.health.respawns == 1
    assert not made.health.mismatch
    await made.close()


async def test_a_library_that_stays_of_another_version_is_told_in_words(state: NvmlState) -> None:
    made = source(state)
    await made.read()
    state.inject_return("*", 18)
    for _ in range(2):  # the second one comes from memory
        reading = await made.read()
        assert (reading.error, reading.gpus) == (18, ())
        assert "different versions" in reading.error_text
    assert made.health.mismatch
    assert made.health.respawns == 1
    state.inject_return("*", 0)
    await asyncio.sleep(SHORT.pause)
    assert (await made.read()).error is None
    assert not made.health.mismatch
    await made.close()


@pytest.mark.parametrize("code", [9, 17, 999])
async def test_blind_until_the_driver_is_back(state: NvmlState, code: int) -> None:
    made = source(state)
    await made.read()
    state.inject_return("*", code)
    assert (await made.read()).error == code
    state.inject_return("*", 0)
    assert (await made.read()).error == code  # not asked again so soon
    await asyncio.sleep(SHORT.pause)
    assert (await made.read()).error is None
    await made.close()


@pytest.mark.parametrize("text", [DIES, GARBLED])
async def test_a_worker_that_dies_or_raves_is_replaced_later_and_later(text: str) -> None:
    made = program(text, patience=Patience(pause=5.0))
    with pytest.raises(SourceError, match="has ended"):
        await made.read()
    with pytest.raises(SourceError, match=r"the next NVML worker starts in [45] s"):
        await made.read()
    await made.close()
    quick = program(text, patience=Patience(pause=0.01))
    for _ in range(5):
        with pytest.raises(SourceError, match="has ended"):
            await until_ended(quick)
    with pytest.raises(SourceError, match="starts in 0 s"):
        await quick.read()
    assert quick.health.respawns == 4
    await quick.close()


async def until_ended(made: NvmlSource) -> None:
    while True:
        try:
            await made.read()
        except SourceError as error:
            if "has ended" in str(error):
                raise
        await asyncio.sleep(0.005)


async def test_a_late_answer_is_never_taken_for_the_next_ones(tmp_path: Path) -> None:
    made = program(WAITS, str(tmp_path / "go"), patience=Patience())
    with pytest.raises(TimeoutError):  # the caller's patience ends, not ours
        await asyncio.wait_for(made.read(), 0.2)
    (tmp_path / "go").touch()
    assert (await made.read()).driver == "0"  # the first answer of a new worker
    assert made.health.respawns == 1
    await made.close()


async def test_closing_while_a_poll_is_under_way(tmp_path: Path) -> None:
    made = program(WAITS, str(tmp_path / "go"), patience=Patience())
    polling = asyncio.create_task(made.read())
    await asyncio.sleep(0.1)
    await made.close()
    with pytest.raises(SourceError):
        await polling
    with pytest.raises(SourceError, match="let go of"):
        await made.read()


async def test_a_worker_that_cannot_be_started() -> None:
    made = NvmlSource(("/nowhere/python",))
    with pytest.raises(SourceError, match="/nowhere/python cannot be started"):
        await made.read()


async def test_a_host_without_gpus_asks_no_driver() -> None:
    assert await NoGpus().read() == NvmlReading()
