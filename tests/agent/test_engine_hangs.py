"""Hangs and what is none, told through a real port by stand-ins for each engine; time is ours."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent import reports
from agent.engines import ENGINES
from agent.pace import Kind
from agent.paths import Paths, engine_unit
from agent.reports import Started
from agent.sources.engine import Answer, EngineReading, EngineSource
from agent.spec import HostSpec
from tests.agent.fakes import FakeClock, FakeUnits

STARTED = Started(engine="main", digest="d", container="c", gpus=("GPU-0",), started=10.0)

WORDS: dict[str, Callable[[int, int], str]] = {
    "vllm": lambda pending, steps: (
        f'vllm:num_requests_running{{engine="0"}} {pending}.0\n'
        'vllm:num_requests_waiting{engine="0"} 0.0\n'
        f'vllm:iteration_tokens_total_bucket{{engine="0",le="1.0"}} {steps}.0\n'
        f'vllm:iteration_tokens_total_count{{engine="0"}} {steps}.0\n'
    ),
    "sglang": lambda pending, steps: (
        f'sglang:num_running_reqs{{tp_rank="0"}} {pending}.0\n'
        'sglang:num_queue_reqs{tp_rank="0"} 0.0\n'
        f'sglang:cuda_graph_passes_total{{mode="decode_cuda_graph",tp_rank="0"}} {steps}.0\n'
        f'sglang:http_requests_active{{endpoint="/v1/chat/completions",method="POST"}} {pending}\n'
    ),
    "tgi": lambda pending, steps: (
        f"tgi_batch_current_size {pending}\ntgi_queue_size 0\n"
        f'tgi_batch_inference_success{{method="decode"}} {steps}\n'
    ),
}


class Stand:
    """An engine that tells `users` and `steps`, and its probes if it counts them."""

    def __init__(self, kind: str) -> None:
        self.kind, self.users, self.steps, self.chats, self.inside = kind, 0, 100, 0, 0
        self.counts_probes = self.readable = True
        self.status, self.body = 200, '{"choices": []}'
        self.held, self.breaks = False, False
        self.free = asyncio.Event()
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/v1/chat/completions", self._chat)
        self.server = TestServer(app)

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _metrics(self, _: web.Request) -> web.Response:
        pending = self.users + (self.inside if self.counts_probes else 0)
        text = WORDS[self.kind](pending, self.steps) if self.readable else "nothing 1\n"
        return web.Response(text=text)

    async def _chat(self, request: web.Request) -> web.Response:
        self.chats += 1
        if self.breaks:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        self.inside += 1
        if self.held:
            await self.free.wait()
        self.inside -= 1
        self.steps += self.status == 200
        return web.Response(text=self.body, status=self.status)


class Watch:
    """A source that looks once a second by a clock of ours."""

    def __init__(self, root: Path, http: aiohttp.ClientSession, stand: Stand) -> None:
        data = {
            "engine_kind": stand.kind,
            "engine_image": "x@sha256:" + "a" * 64,
            "engine_model": "a/b",
            "engine_revision": "a" * 40,
            "engine_port": stand.server.port,
        }
        spec = HostSpec.from_data("h", data).engines["main"]
        self.paths, self.units = Paths(run=root / "run", state=root / "state"), FakeUnits([])
        self.clock, self.stand = FakeClock(), stand
        self.source = EngineSource(
            "main", spec, ENGINES[stand.kind], self.units, self.paths, http, self.clock
        )
        self.start(10.0)

    def start(self, at: float) -> None:
        self.units.up[engine_unit("main")] = True
        started = msgspec.structs.replace(STARTED, started=at)
        reports.write(self.paths.started("main"), started)

    async def look(self) -> EngineReading:
        found = await self.source.read()
        self.clock.now += 1.0
        await asyncio.sleep(0.01)  # as good as a second for what is asked over loopback
        return found

    async def serving(self) -> None:
        """Look until the start is proved."""
        while (await self.look()).chat is not Answer.OK:
            pass

    async def until(self, kind: Kind, looks: int) -> list[EngineReading]:
        """Look until the pace is of that kind, and no more than so often."""
        found: list[EngineReading] = []
        for _ in range(looks):
            found.append(await self.look())
            pace = found[-1].pace
            if pace is not None and pace.kind is kind:
                return found
        raise AssertionError([look.pace and look.pace.kind for look in found])


@pytest.fixture
def kind() -> str:
    return "vllm"


@pytest.fixture
async def stand(kind: str) -> AsyncIterator[Stand]:
    made = Stand(kind)
    await made.server.start_server()
    yield made
    made.free.set()
    await made.server.close()


@pytest.fixture
async def watch(tmp_path: Path, stand: Stand) -> AsyncIterator[Watch]:
    async with aiohttp.ClientSession() as http:
        made = Watch(tmp_path, http, stand)
        await made.serving()
        yield made


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
async def test_a_hang_under_load(watch: Watch, stand: Stand) -> None:
    stand.users, stand.held, chats = 2, True, stand.chats
    found = await watch.until(Kind.HUNG, 10)
    assert found[-1].health is Answer.OK
    assert stand.chats == chats + 1


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
async def test_a_hang_while_idle(watch: Watch, stand: Stand) -> None:
    stand.held, chats = True, stand.chats
    await watch.until(Kind.HUNG, 15)
    assert stand.chats == chats + 1


@pytest.mark.parametrize("kind", ["tgi"])
async def test_a_dead_router_loop_of_tgi(watch: Watch, stand: Stand) -> None:
    stand.users, stand.held, chats = 2, True, stand.chats
    for _ in range(145):
        pace = (await watch.look()).pace
        assert pace is not None
        assert pace.kind is Kind.MOVING
    assert stand.chats == chats
    await watch.until(Kind.HUNG, 37)


@pytest.mark.parametrize("kind", ["vllm", "sglang", "tgi"])
async def test_idle_engines_are_asked_at_times_and_never_hung(watch: Watch, stand: Stand) -> None:
    chats = stand.chats
    for _ in range(35):
        found = await watch.look()
        assert found.pace is not None
        assert found.pace.kind is Kind.IDLE
    assert stand.chats == chats + 3


async def test_no_probe_while_steps_are_made(watch: Watch, stand: Stand) -> None:
    chats = stand.chats
    for _ in range(30):
        stand.users, stand.steps = 3, stand.steps + 40
        assert (await watch.look()).load.in_flight == 3
    assert stand.chats == chats


@pytest.mark.parametrize("kind", ["vllm", "sglang", "tgi"])
@pytest.mark.parametrize(("counts", "users"), [(True, 0), (True, 1), (False, 0), (False, 1)])
async def test_a_probe_is_no_work_of_others(
    watch: Watch, stand: Stand, counts: bool, users: int
) -> None:
    stand.held, stand.counts_probes, chats = True, counts, stand.chats
    while stand.chats == chats:  # idle until a probe is asked
        await watch.look()
    assert (await watch.look()).load.in_flight == 0
    if counts:  # where it is not counted, one request cannot be told from ours
        stand.users = users
        assert (await watch.look()).load.in_flight == users


async def test_a_probe_that_is_not_counted_hides_no_request(watch: Watch, stand: Stand) -> None:
    stand.users, stand.held, stand.counts_probes = 1, True, False
    assert {look.load.in_flight for look in await watch.until(Kind.HUNG, 10)} == {1}


@pytest.mark.parametrize(
    ("status", "body", "kind_of_pace"),
    [
        (429, '{"error":"Model is overloaded","error_type":"overloaded"}', Kind.FULL),
        (503, '{"error":{"message":"The engine is currently busy. Try again."}}', Kind.FULL),
        (503, '{"error":{"message":"The request queue is full."}}', Kind.FULL),
        (503, '{"error":"draining"}', Kind.MOVING),
        (400, '{"error":"no chat template"}', Kind.MOVING),
        (500, "", Kind.MOVING),
    ],
)
async def test_an_answer_acquits_whatever_it_says(
    watch: Watch, stand: Stand, status: int, body: str, kind_of_pace: Kind
) -> None:
    stand.users, stand.status, stand.body, chats = 128, status, body, stand.chats
    kinds = [pace.kind for _ in range(30) if (pace := (await watch.look()).pace)]
    assert set(kinds[6:]) == {kind_of_pace}
    assert stand.chats > chats + 3


async def test_a_connection_that_breaks_is_no_answer(watch: Watch, stand: Stand) -> None:
    stand.users, stand.breaks, chats = 2, True, stand.chats
    await watch.until(Kind.HUNG, 10)
    assert stand.chats >= chats + 4  # asked again at every look


async def test_counters_that_cannot_be_read(watch: Watch, stand: Stand) -> None:
    stand.readable, stand.held = False, True
    found = await watch.until(Kind.HUNG, 75)
    assert len(found) > 60
    assert (found[-1].progress, found[-1].load.in_flight) == (None, None)


async def test_a_step_acquits_and_the_probe_is_given_up(watch: Watch, stand: Stand) -> None:
    stand.users, stand.held, chats = 2, True, stand.chats
    for _ in range(3):  # a second probe can only be asked after the first was given up
        await watch.until(Kind.STALLED, 8)
        stand.steps += 1
        pace = (await watch.look()).pace
        assert pace is not None
        assert not pace.due
    await watch.until(Kind.HUNG, 10)
    assert stand.chats == chats + 4


async def test_another_run_is_not_judged_by_the_last(watch: Watch, stand: Stand) -> None:
    stand.users, stand.held = 2, True
    await watch.until(Kind.HUNG, 10)
    watch.start(20.0)
    for _ in range(40):  # it starts, and its first answer takes long
        found = await watch.look()
        assert (found.pace, found.chat) == (None, None)


async def test_a_stopped_unit_is_not_hung(watch: Watch, stand: Stand) -> None:
    stand.users, stand.held = 2, True
    await watch.until(Kind.HUNG, 10)
    watch.units.up.clear()
    assert (await watch.look()).pace is None


async def test_a_closed_port_is_not_hung(watch: Watch, stand: Stand) -> None:
    stand.users, stand.held = 2, True
    await watch.until(Kind.HUNG, 10)
    stand.free.set()
    await stand.server.close()
    found = await watch.look()
    assert (found.running, found.health, found.pace) == (True, Answer.REFUSED, None)


async def test_an_engine_that_starts_is_never_judged(tmp_path: Path, stand: Stand) -> None:
    stand.held = True
    async with aiohttp.ClientSession() as http:
        watch = Watch(tmp_path, http, stand)
        watch.units.up.clear()
        await watch.look()
        watch.start(10.0)
        for _ in range(60):
            assert (await watch.look()).pace is None
    assert stand.chats == 1


async def test_an_engine_that_was_hung_before_we_came(tmp_path: Path, stand: Stand) -> None:
    stand.users, stand.held = 2, True
    async with aiohttp.ClientSession() as http:
        watch = Watch(tmp_path, http, stand)
        found = await watch.until(Kind.HUNG, 10)
    assert found[-1].chat is None
