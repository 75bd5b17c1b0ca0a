"""One engine seen from outside, with a stand-in engine behind a real port."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent import reports
from agent.engines import ENGINES
from agent.engines.base import Load
from agent.errors import SourceError
from agent.paths import Paths, engine_unit
from agent.reports import Exit, ExitClass, Started
from agent.sources.engine import Answer, EngineReading, EngineSource
from agent.sources.unit import UnitState
from agent.spec import HostSpec
from tests.agent.fakes import FakeUnits
from tests.ports import free_port

DATA = {
    "engine_kind": "tgi",
    "engine_image": "x@sha256:" + "a" * 64,
    "engine_model": "a/b",
    "engine_revision": "a" * 40,
    "engine_probe_deadline": 5,
}
STARTED = Started(engine="main", digest="d", container="c", gpus=("GPU-0",), started=10.0)
METRICS = "# TYPE tgi_batch_current_size gauge\ntgi_batch_current_size 2\ntgi_queue_size 1\n"


class FakeEngine:
    """An engine program whose answers can be changed at any time."""

    def __init__(self) -> None:
        self.health, self.chat, self.metrics = 200, 200, METRICS.encode()
        self.chats = self.healths = 0
        self.answer = asyncio.Event()  # chats wait for it
        self.answer.set()
        self.well = asyncio.Event()  # /health waits for it
        self.well.set()
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/v1/chat/completions", self._chat)
        self.server = TestServer(app)

    async def _health(self, _: web.Request) -> web.Response:
        self.healths += 1
        await self.well.wait()
        return web.Response(status=self.health)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self.metrics, content_type="text/plain", charset="utf-8")

    async def _chat(self, _: web.Request) -> web.Response:
        self.chats += 1
        status = self.chat
        await self.answer.wait()
        return web.json_response({"choices": []}, status=status)


class Seen:
    """A source and what it looks at."""

    def __init__(
        self, root: Path, http: aiohttp.ClientSession, port: int, kind: str = "tgi"
    ) -> None:
        spec = HostSpec.from_data("h", {**DATA, "engine_port": port}).engines["main"]
        self.paths = Paths(run=root / "run", state=root / "state")
        self.units = FakeUnits([])
        self.units.up[engine_unit("main")] = True
        self.now = 0.0
        self.told: list[str | None] = []
        self.source = EngineSource(
            *("main", spec, ENGINES[kind], self.units, self.paths, http),
            clock=lambda: self.now or time.monotonic(),
            told=self.told.append,
        )

    def report(self, started: Started) -> None:
        reports.write(self.paths.started("main"), started)

    async def look(self) -> EngineReading:
        return await self.source.read()

    async def proof(self) -> Answer | None:
        """Look until the chat that was asked has been answered, for half a second at most."""
        for _ in range(50):
            found = (await self.look()).chat
            if found is not None:
                return found
            await asyncio.sleep(0.01)
        return None


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    made = FakeEngine()
    await made.server.start_server()
    yield made
    made.answer.set()
    made.well.set()
    await made.server.close()


@pytest.fixture
async def seen(tmp_path: Path, engine: FakeEngine) -> AsyncIterator[Seen]:
    async with aiohttp.ClientSession() as http:
        assert engine.server.port is not None
        made = Seen(tmp_path, http, engine.server.port)
        made.report(STARTED)
        yield made


async def test_an_engine_that_serves(seen: Seen) -> None:
    assert await seen.proof() is Answer.OK
    found = await seen.look()
    assert (found.running, found.health, found.started) == (True, Answer.OK, STARTED)
    assert found.load == Load(running=2, waiting=1)
    assert found.exit is None


async def test_one_chat_proves_one_start(seen: Seen, engine: FakeEngine) -> None:
    assert await seen.proof() is Answer.OK
    for _ in range(5):
        assert (await seen.look()).chat is Answer.OK
    assert engine.chats == 1
    seen.report(msgspec.structs.replace(STARTED, started=20.0))
    assert (await seen.look()).chat is None
    assert await seen.proof() is Answer.OK
    assert engine.chats == 2


async def test_nothing_is_proved_before_the_runner_says_what_runs(
    seen: Seen, engine: FakeEngine
) -> None:
    seen.paths.started("main").unlink()
    assert await seen.proof() is None
    assert engine.chats == 0


async def test_a_chat_that_takes_long_delays_no_look(seen: Seen, engine: FakeEngine) -> None:
    engine.answer.clear()
    for _ in range(3):
        assert (await seen.look()).chat is None
    engine.answer.set()
    assert await seen.proof() is Answer.OK


async def test_a_chat_of_a_former_run_proves_nothing(seen: Seen, engine: FakeEngine) -> None:
    engine.answer.clear()
    await seen.look()
    await asyncio.sleep(0.05)  # the chat is with the engine, which will answer it well
    assert engine.chats == 1
    engine.chat = 500
    seen.report(msgspec.structs.replace(STARTED, started=20.0))
    engine.answer.set()
    assert await seen.proof() is Answer.BAD
    assert engine.chats == 2


async def test_a_chat_that_fails_is_asked_again(seen: Seen, engine: FakeEngine) -> None:
    engine.chat = 500
    assert await seen.proof() is Answer.BAD
    engine.chat = 200
    assert await seen.proof() is Answer.OK


async def test_an_engine_that_says_it_is_not_well_still_tells_its_load(
    seen: Seen, engine: FakeEngine
) -> None:
    engine.health = 503
    found = await seen.look()
    assert (found.health, found.chat, found.load.in_flight) == (Answer.BAD, None, 3)


@pytest.mark.parametrize("metrics", [b"\xff\xfe", b"something_else 1\n"])
async def test_metrics_that_tell_nothing(seen: Seen, engine: FakeEngine, metrics: bytes) -> None:
    engine.metrics = metrics
    found = await seen.look()
    assert (found.health, found.load.in_flight) == (Answer.OK, None)


@pytest.mark.parametrize(
    "metrics",
    [
        b'sglang:http_requests_active{method="POST"} Inf\n',
        b'sglang:http_requests_active{method="POST"} NaN\n',
        b"sglang:num_running_reqs{dp_rank=} 1\nsglang:realtime_tokens_total{mode=decode} 1\n",
    ],
)
async def test_metrics_that_are_garbled_hide_nothing_else(
    tmp_path: Path, engine: FakeEngine, metrics: bytes
) -> None:
    engine.metrics = metrics
    async with aiohttp.ClientSession() as http:
        seen = Seen(tmp_path, http, engine.server.port or 0, "sglang")
        found = await seen.look()
    assert (found.health, found.load.in_flight) == (Answer.OK, None)


async def test_a_health_that_hangs_delays_no_look(seen: Seen, engine: FakeEngine) -> None:
    engine.well.clear()
    begun = time.monotonic()
    for _ in range(2):
        found = await seen.look()
        assert (found.health, found.load.in_flight) == (Answer.SLOW, 3)
    assert time.monotonic() - begun < 2.0  # looks are due once a second
    assert engine.healths == 1  # and hold one connection
    engine.well.set()
    await asyncio.sleep(0.05)
    assert (await seen.look()).health is Answer.OK


async def test_a_closed_port(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        found = await Seen(tmp_path, http, free_port()).look()
    assert (found.running, found.health, found.chat) == (True, Answer.REFUSED, None)


async def test_a_port_that_closes_without_an_answer_is_closed(tmp_path: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()  # as docker-proxy does while nothing listens behind it

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server, aiohttp.ClientSession() as http:
        found = await Seen(tmp_path, http, server.sockets[0].getsockname()[1]).look()
    assert found.health is Answer.REFUSED


async def test_an_engine_that_has_ended(seen: Seen) -> None:
    ended = Exit(
        engine="main",
        digest="d",
        kind=ExitClass.GPU,
        reason="R",
        message="m",
        code=1,
        lines=("last",),
        started=1.0,
        ended=2.0,
    )
    reports.write(seen.paths.exit("main"), ended)
    seen.units.up.clear()
    found = await seen.look()
    assert (found.running, found.health, found.exit) == (False, Answer.REFUSED, ended)
    assert found.load.in_flight is None


async def test_a_garbled_report_is_none(seen: Seen) -> None:
    seen.paths.started("main").write_text("{")
    assert (await seen.look()).started is None


async def test_a_silent_systemd_hides_the_engine(seen: Seen) -> None:
    class Silent(FakeUnits):
        async def state(self, unit: str) -> UnitState:
            raise SourceError("no bus")

    seen.source._units = Silent([])
    with pytest.raises(SourceError, match="no bus"):
        await seen.look()


async def test_an_engine_that_is_being_stopped_is_neither_here_nor_gone(seen: Seen) -> None:
    class Stopping(FakeUnits):
        async def state(self, unit: str) -> UnitState:
            return UnitState(active="deactivating")

    seen.source._units = Stopping([])
    with pytest.raises(SourceError, match="being stopped"):
        await seen.look()


async def test_what_it_says_of_itself_is_told_on(seen: Seen, engine: FakeEngine) -> None:
    more = "tgi_batch_current_max_tokens 512\ntgi_batch_max_total_tokens 2048\n"
    engine.metrics = (METRICS + more).encode()
    assert (await seen.look()).kv_use_ratio == 0.25
    assert seen.told == [METRICS + more]
    engine.metrics = b"\xff"
    assert (await seen.look()).kv_use_ratio is None
    assert len(seen.told) == 1
    seen.units.up[engine_unit("main")] = False
    await seen.look()
    assert seen.told[1:] == [None]


async def test_tokens_a_second_start_anew_with_the_engine(seen: Seen, engine: FakeEngine) -> None:
    async def look(at: float, tokens: int) -> float | None:
        seen.now = at
        engine.metrics = f"{METRICS}tgi_request_generated_tokens_sum {tokens}\n".encode()
        return (await seen.look()).tokens_per_second

    assert await look(1, 100) is None
    assert await look(3, 150) == 25
    seen.report(msgspec.structs.replace(STARTED, started=20.0))
    assert await look(4, 900) is None
    assert await look(5, 910) == 10
