"""The parent of the NVML worker outlives everything that a driver can do to the worker."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.sources.nvml import NoGpus, NvmlReading, NvmlSource

GOOD = """
import sys
for _ in sys.stdin:
    print('{"driver": "595", "gpus": [{"index": 0, "uuid": "GPU-0"}]}', flush=True)
"""
HANGS = "import time; time.sleep(600)"
DIES = "import sys; sys.stdin.readline(); sys.exit(1)"
GARBLED = "import sys; sys.stdin.readline(); print('{', flush=True); sys.stdin.readline()"
MISMATCH = """
import sys
for _ in sys.stdin:
    print('{"error": 18, "error_text": "version mismatch"}', flush=True)
"""
# Numbers its answers; each comes only when the file in argv is there.
WAITS = """
import itertools, os, sys, time
for number, _ in enumerate(sys.stdin):
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.005)
    print('{"driver": "%d of %d"}' % (number, os.getpid()), flush=True)
"""


def source(program: str, *arguments: str, deadline: float = 5.0) -> NvmlSource:
    return NvmlSource((sys.executable, "-c", program, *arguments), deadline)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_polls_one_worker_again_and_again() -> None:
    made = source(GOOD)
    for _ in range(3):
        assert (await made.read()).gpus[0].uuid == "GPU-0"
    await made.close()


async def test_a_call_that_never_returns_is_given_up_in_time() -> None:
    made = source(HANGS, deadline=0.1)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(SourceError, match="a driver call did not return"):
        await made.read()
    with pytest.raises(SourceError, match="waiting before"):  # no second child at once
        await made.read()
    assert asyncio.get_running_loop().time() - begun < 2.0
    await made.close()


async def test_a_worker_that_hangs_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "process"
    made = NvmlSource(("sh", "-c", 'echo $$ > "$0"; exec sleep 600', str(told)), deadline=0.5)
    with pytest.raises(SourceError):
        await made.read()
    await made.close()
    assert not alive(int(told.read_text()))


@pytest.mark.parametrize("program", [DIES, GARBLED])
async def test_a_worker_that_dies_or_raves_is_replaced_later(program: str) -> None:
    made = source(program)
    with pytest.raises(SourceError, match="has ended"):
        await made.read()
    with pytest.raises(SourceError, match="waiting before"):
        await made.read()
    await made.close()


async def test_a_replaced_driver_gets_a_fresh_worker() -> None:
    made = source(MISMATCH)
    assert (await made.read()).error == 18
    with pytest.raises(SourceError, match="waiting before"):
        await made.read()
    await made.close()


async def test_a_late_answer_is_never_taken_for_the_next_ones(tmp_path: Path) -> None:
    made = source(WAITS, str(tmp_path / "go"))
    with pytest.raises(TimeoutError):  # the caller's patience ends, not ours
        await asyncio.wait_for(made.read(), 0.2)
    (tmp_path / "go").touch()
    await made.close()
    assert (await made.read()).driver.startswith("0 of ")  # the first answer of a new worker
    await made.close()


async def test_lets_go_of_the_driver_when_asked() -> None:
    made = source(GOOD)
    await made.read()
    await made.close()
    assert (await made.read()).driver == "595"  # a new worker, without waiting
    await made.close()


async def test_a_worker_that_cannot_be_started() -> None:
    made = NvmlSource(("/nowhere/python",))
    with pytest.raises(SourceError, match="the NVML worker cannot be started"):
        await made.read()


async def test_a_host_without_gpus_asks_no_driver() -> None:
    assert await NoGpus().read() == NvmlReading()
