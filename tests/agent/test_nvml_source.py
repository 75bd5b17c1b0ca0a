"""The parent of the NVML worker outlives everything that a driver can do to the worker."""

import sys

import anyio
import pytest

from agent.errors import SourceError
from agent.sources.nvml import NvmlReading, NvmlSource

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


def source(program: str, deadline: float = 5.0) -> NvmlSource:
    return NvmlSource((sys.executable, "-c", program), deadline)


async def test_polls_one_worker_again_and_again() -> None:
    made = source(GOOD)
    for _ in range(3):
        assert (await made.read()).gpus[0].uuid == "GPU-0"
    made.close()


async def test_a_call_that_never_returns_is_given_up_in_time() -> None:
    made = source(HANGS, deadline=0.1)
    with pytest.raises(SourceError, match="did not return"):
        await made.read()
    with pytest.raises(SourceError, match="waiting before"):  # no second child at once
        await made.read()


@pytest.mark.parametrize("program", [DIES, GARBLED])
async def test_a_worker_that_dies_or_raves_is_replaced_later(program: str) -> None:
    made = source(program)
    with pytest.raises(SourceError, match="has ended"):
        await made.read()
    with pytest.raises(SourceError, match="waiting before"):
        await made.read()


async def test_a_replaced_driver_gets_a_fresh_worker() -> None:
    made = source(MISMATCH)
    assert (await made.read()).error == 18
    with pytest.raises(SourceError, match="waiting before"):
        await made.read()


async def test_lets_go_of_the_driver_when_asked() -> None:
    made = source(GOOD)
    await made.read()
    made.close()
    assert (await soon(made)).driver == "595"  # a new worker, once the old one has ended
    made.close()


async def soon(made: NvmlSource) -> NvmlReading:
    """Read again and again, for at most 5 s."""
    with anyio.fail_after(5):
        while True:
            try:
                return await made.read()
            except SourceError:
                await anyio.sleep(0.005)
