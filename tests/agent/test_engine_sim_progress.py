"""Hangs, and what only looks like one, by the engine simulator in each dialect.

Time runs faster for the source than for us where its looks are quick enough for that.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from agent import reports
from agent.engines import ENGINES
from agent.pace import Kind
from agent.paths import Paths, engine_unit
from agent.reports import Started
from agent.sources.engine import Answer, EngineReading, EngineSource
from agent.spec import HostSpec
from tests.agent.fakes import FakeUnits
from tests.sandbox.engine_sim.harness import Simulator, running, wait_for

STARTED = Started(engine="main", digest="d", container="c", gpus=("GPU-0",), started=10.0)
# The simulated /health of a hung SGLang hangs, so that a look takes most of a second.
SPEED = {"vllm": 4.0, "tgi": 4.0, "sglang": 1.0}
CHAT = {"messages": [{"role": "user", "content": "hello there"}]}


@contextmanager
def simulated(directory: Path, kind: str, *flags: str) -> Iterator[Simulator]:
    served = () if kind == "tgi" else ("--served-model-name", "a/b")
    environment = {"SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION": "0"}
    with running(directory, *served, *flags, dialect=kind, env=environment) as engine:
        wait_for(lambda: engine.control("/state")["phase"] == "serving", "serving")
        yield engine


def stream(engine: Simulator, count: int) -> None:
    """Have `count` long streams under way; they end with the engine."""

    def ask() -> None:
        with suppress(Exception):
            engine.ask("/v1/chat/completions", CHAT | {"max_tokens": 1900, "stream": True})

    for _ in range(count):
        threading.Thread(target=ask, daemon=True).start()


class Watch:
    def __init__(self, root: Path, kind: str, port: int, http: aiohttp.ClientSession) -> None:
        data = {
            "engine_kind": kind,
            "engine_image": "x@sha256:" + "a" * 64,
            "engine_model": "a/b",
            "engine_revision": "a" * 40,
            "engine_port": port,
        }
        paths, units = Paths(run=root / "run", state=root / "state"), FakeUnits([])
        units.up[engine_unit("main")] = True
        reports.write(paths.started("main"), STARTED)
        spec = HostSpec.from_data("h", data).engines["main"]
        self.speed = SPEED[kind]
        self.source = EngineSource(
            "main", spec, ENGINES[kind], units, paths, http, lambda: time.monotonic() * self.speed
        )

    async def looks(self, seconds: float) -> AsyncIterator[tuple[float, EngineReading]]:
        """Look once a second, as the loop does."""
        begun = time.monotonic()
        while (time.monotonic() - begun) * self.speed < seconds:
            tick = time.monotonic()
            found = await self.source.read()
            yield (time.monotonic() - begun) * self.speed, found
            await asyncio.sleep(max(0.05, 1.0 / self.speed - (time.monotonic() - tick)))

    async def until_hung(self, seconds: float) -> float:
        async for after, found in self.looks(seconds):
            if found.pace is not None and found.pace.kind is Kind.HUNG:
                return after
        raise AssertionError("not told")

    async def kinds(self, seconds: float) -> set[Kind]:
        return {found.pace.kind async for _, found in self.looks(seconds) if found.pace}

    async def proved(self) -> None:
        async for _, found in self.looks(80):
            if found.chat is Answer.OK:
                return


async def order(engine: Simulator, **fault: object) -> None:
    await asyncio.to_thread(lambda: engine.fault(**fault))


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
@pytest.mark.parametrize(
    ("fault", "streams", "limit"), [("shard_stuck", 3, 10.0), ("router_loop_dead", 0, 15.0)]
)
async def test_a_hang_is_told_in_time(
    tmp_path: Path, kind: str, fault: str, streams: int, limit: float
) -> None:
    with simulated(tmp_path, kind) as engine:
        async with aiohttp.ClientSession() as http:
            watch = Watch(tmp_path, kind, engine.port, http)
            await watch.proved()
            stream(engine, streams)
            assert await watch.kinds(3.5) <= {Kind.MOVING, Kind.IDLE}
            await order(engine, kind=fault)
            assert await watch.until_hung(limit + 5) <= limit


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
async def test_a_prompt_that_is_read_for_long_is_no_hang(tmp_path: Path, kind: str) -> None:
    with simulated(tmp_path, kind) as engine:
        async with aiohttp.ClientSession() as http:
            watch = Watch(tmp_path, kind, engine.port, http)
            await watch.proved()
            await order(engine, kind="long_prefill", tokens=131072, seconds=14 / watch.speed)
            stream(engine, 1)
            assert await watch.kinds(16) <= {Kind.MOVING, Kind.IDLE}


@pytest.mark.parametrize("kind", ["vllm", "sglang", "tgi"])
async def test_a_full_engine_is_no_hang(tmp_path: Path, kind: str) -> None:
    flags = {
        "vllm": ("--max-num-seqs", "2", "--max-num-queued-reqs", "5"),
        "sglang": ("--max-running-requests", "2", "--max-queued-requests", "3"),
        "tgi": ("--max-concurrent-requests", "5"),
    }[kind]
    with simulated(tmp_path, kind, *flags) as engine:
        async with aiohttp.ClientSession() as http:
            watch = Watch(tmp_path, kind, engine.port, http)
            await watch.proved()
            stream(engine, 12)
            assert await watch.kinds(12) <= {Kind.MOVING, Kind.IDLE}
