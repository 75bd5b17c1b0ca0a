"""Events from the simulated driver through a real child: soon, once, and whatever happens to it."""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.sources.nvml_child import Child, Process
from agent.sources.nvml_events import RECOVERY_ACTION, XID, NvmlEvent, NvmlEvents
from tests.agent.nvml_rig import PCI, command, reset, simulated
from tests.sandbox.nvml.state import NvmlState

SINGLE_BIT = 0x1  # not wished for

# Tries again soon what it could not register.
IMPATIENT = """
import pynvml
from agent.nvml.events import Watch
pynvml.nvmlInit()
Watch(missing_every=0.2).run()
"""


class Watcher:
    """A parent that keeps what it was told, and the children it started."""

    def __init__(self, state: NvmlState, *, silence: float = 5.0, program: str = "") -> None:
        self.state = state
        self.events: list[NvmlEvent] = []
        self.ready = 0
        self.children: list[Process] = []
        self._news = asyncio.Event()
        arguments = ("-c", program) if program else ("-m", "agent.nvml.events")
        self.parent = NvmlEvents(
            self._is_told,
            self._is_ready,
            command(state, *arguments),
            self._start,
            silence=silence,
            pause=0.05,
        )

    def _is_told(self, event: NvmlEvent) -> None:
        self.events.append(event)
        self._news.set()

    def _is_ready(self) -> None:
        self.ready += 1
        self._news.set()

    async def _start(self, command: Sequence[str]) -> Child:
        child = await Process.start(command)
        self.children.append(child)
        return child

    def pid(self) -> int:
        return self.children[-1]._process.pid

    async def until(self, *, ready: int = 0, events: int = 0, within: float = 10.0) -> None:
        async with asyncio.timeout(within):
            while self.ready < ready or len(self.events) < events:
                self._news.clear()
                await self._news.wait()

    def numbers(self) -> list[tuple[str, int]]:
        return [(event.pci, event.data) for event in self.events]


@pytest.fixture
def state(tmp_path: Path) -> NvmlState:
    return simulated(tmp_path)


async def test_tells_each_event_once_and_in_order(state: NvmlState) -> None:
    watcher = Watcher(state)
    watcher.parent.start()
    await watcher.until(ready=1)
    begun = time.time()
    for gpu, xid in [(0, 31), (1, 43), (0, 79)]:
        state.xid(gpu, xid)
    await watcher.until(events=3)
    assert watcher.numbers() == [(PCI[0], 31), (PCI[1], 43), (PCI[0], 79)]
    assert {(event.type, event.gi, event.ci) for event in watcher.events} == {(XID, None, None)}
    assert all(begun <= event.at <= time.time() for event in watcher.events)
    await watcher.parent.close()


async def test_only_what_is_wished_and_supported(state: NvmlState) -> None:
    state.set(1, "supported_events", XID)
    watcher = Watcher(state)
    watcher.parent.start()
    await watcher.until(ready=1)
    state.event(0, SINGLE_BIT, 1)
    state.event(1, RECOVERY_ACTION, 1)
    state.event(0, RECOVERY_ACTION, 2)
    state.xid(1, 48)
    await watcher.until(events=2)
    assert sorted(watcher.numbers()) == [(PCI[0], 2), (PCI[1], 48)]
    await watcher.parent.close()


async def test_a_gpu_without_events_is_left_out_and_the_others_are_watched(
    state: NvmlState,
) -> None:
    state.inject_return("nvmlDeviceRegisterEvents", 3, gpu=0)
    watcher = Watcher(state)
    watcher.parent.start()
    await watcher.until(ready=1)
    state.xid(0, 31)
    state.xid(1, 48)
    await watcher.until(events=1)
    assert watcher.numbers() == [(PCI[1], 48)]
    await watcher.parent.close()


async def test_a_lost_gpu_is_dropped_without_a_storm_and_the_others_are_watched(
    state: NvmlState,
) -> None:
    watcher = Watcher(state)
    watcher.parent.start()
    await watcher.until(ready=1)
    state.xid(0, 79)
    state.lose(0)
    await watcher.until(ready=2, events=1)  # ready again: the parent polls, and sees the loss
    before = cpu_seconds(watcher.pid())
    await asyncio.sleep(1.5)
    assert cpu_seconds(watcher.pid()) - before < 0.3
    state.xid(1, 48)
    await watcher.until(events=2)
    assert watcher.numbers() == [(PCI[0], 79), (PCI[1], 48)]
    assert (watcher.ready, len(watcher.children)) == (2, 1)
    await watcher.parent.close()


async def test_a_gpu_that_comes_back_is_watched_again(state: NvmlState) -> None:
    watcher = Watcher(state, program=IMPATIENT)
    watcher.parent.start()
    await watcher.until(ready=1)
    state.lose(0)
    await watcher.until(ready=2)
    state.set(0, "lost", 0)
    await watcher.until(ready=3)
    state.xid(0, 48)
    await watcher.until(events=1)
    assert (watcher.numbers(), len(watcher.children)) == ([(PCI[0], 48)], 1)
    await watcher.parent.close()


async def test_a_wait_that_always_fails_is_no_storm(state: NvmlState) -> None:
    state.inject_return("nvmlEventSetWait", 15)
    watcher = Watcher(state)
    watcher.parent.start()
    await watcher.until(ready=2)
    before = cpu_seconds(watcher.pid())
    await asyncio.sleep(1.5)
    assert cpu_seconds(watcher.pid()) - before < 0.3
    assert watcher.ready < 8
    assert len(watcher.children) == 1
    await watcher.parent.close()


async def test_all_gpus_lost_is_a_sleep(state: NvmlState) -> None:
    for gpu in (0, 1):
        state.lose(gpu)
    watcher = Watcher(state, silence=3.0)
    watcher.parent.start()
    await watcher.until(ready=1)
    before = cpu_seconds(watcher.pid())
    await asyncio.sleep(3.5)  # it lives, though nothing happens
    assert cpu_seconds(watcher.pid()) - before < 0.3
    assert (watcher.ready, len(watcher.children)) == (1, 1)
    await watcher.parent.close()


@pytest.mark.parametrize("call", ["nvmlEventSetWait", "nvmlDeviceRegisterEvents"])
async def test_a_set_that_is_unknown_is_made_again(state: NvmlState, call: str) -> None:
    state.inject_return(call, 999)
    watcher = Watcher(state)
    watcher.parent.start()
    if call == "nvmlEventSetWait":
        await watcher.until(ready=2)  # made again, in vain
        state.inject_return(call, 0)
    else:
        await watcher.until(ready=1)
        state.inject_return(call, 0)
        os.kill(watcher.pid(), signal.SIGKILL)  # else it is tried again in a minute
        await watcher.until(ready=2)
    while not watcher.events:  # the set of before may just be thrown away
        state.xid(0, 48)
        await asyncio.sleep(0.1)
    assert set(watcher.numbers()) == {(PCI[0], 48)}
    await watcher.parent.close()


@pytest.mark.parametrize("code", [9, 18])
async def test_a_driver_that_goes_ends_the_child_and_a_new_one_watches(
    state: NvmlState, code: int
) -> None:
    watcher = Watcher(state)
    watcher.parent.start()
    await watcher.until(ready=1)
    state.inject_return("*", code)
    assert await watcher.children[0].ended(5.0)
    state.inject_return("*", 0)
    await watcher.until(ready=2)
    state.xid(1, 48)
    await watcher.until(events=1)
    await watcher.parent.close()


async def test_a_silent_child_is_killed_and_replaced(state: NvmlState) -> None:
    watcher = Watcher(state, silence=3.0)
    watcher.parent.start()
    await watcher.until(ready=1)
    os.kill(watcher.pid(), signal.SIGSTOP)
    await watcher.until(ready=2)
    assert watcher.children[0].has_ended
    assert watcher.parent.respawns == 1
    await watcher.parent.close()


async def test_a_child_that_always_dies_is_respawned_ever_later(state: NvmlState) -> None:
    watcher = Watcher(state, program="import sys; sys.exit(1)")
    watcher.parent.start()
    await asyncio.sleep(1.5)
    assert 2 <= len(watcher.children) <= 6
    await watcher.parent.close()


async def test_only_the_named_gpus_are_touched(state: NvmlState) -> None:
    state.hang("*", gpu=0)
    watcher = Watcher(state)
    watcher.parent.only = (PCI[1],)
    watcher.parent.start()
    await watcher.until(ready=1)
    state.xid(1, 48)
    await watcher.until(events=1)
    await watcher.parent.close()


async def test_closing_lets_a_reset_through_and_starting_goes_on(state: NvmlState) -> None:
    watcher = Watcher(state)
    watcher.parent.start()
    await watcher.until(ready=1)
    assert not reset(state, 0)
    await watcher.parent.close()
    assert reset(state, 0)
    watcher.parent.start()
    await watcher.until(ready=2)
    state.xid(0, 31)
    await watcher.until(events=1)
    await watcher.parent.close()


async def test_a_child_that_nobody_reads_any_more_ends(state: NvmlState) -> None:
    ours, theirs = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *command(state, "-m", "agent.nvml.events"), stdout=theirs
    )
    os.close(theirs)
    assert b"ready" in await asyncio.to_thread(os.read, ours, 1000)
    os.close(ours)
    assert await asyncio.wait_for(process.wait(), 10.0) == 0


def cpu_seconds(process: int) -> float:
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9
