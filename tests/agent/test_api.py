"""What the agent answers over HTTP, and what it takes over its socket."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from agent import api, control, ctl, metrics, show
from agent.model import Condition, EngineState, Phase, Remedy, Requested, Status, Verb
from agent.snapshot import EngineView, Published, Snapshot
from tests.agent.fakes import nvml


def snapshot(phase: Phase = Phase.SERVING, **facts: object) -> Snapshot:
    """A node with one engine in `phase`."""
    now = time.time()
    state = EngineState(phase=phase, since=now - 90, reason="Test", message="a test", last_start=9)
    engine = EngineView(
        state=state,
        kind="vllm",
        model="org/a-model-with-quite-a-long-name-70B-Instruct-FP8",
        served_name="org/a-model-with-quite-a-long-name-70B-Instruct-FP8",
        port=8080,
        running=True,
        answering=True,
        requests_running=3,
        requests_waiting=1,
        gpus=("GPU-0",),
        restarts_left=3,
        advice=Remedy.NONE,
        digest="d",
        running_digest="d",
        running_since=10.0,
        last_exit=None,
    )
    known = {
        "node": "gpu-1",
        "phase": phase,
        "reason": "Test",
        "message": "engine main: a test",
        "remediation": "act",
        "engines": {"main": engine},
        "gpus": nvml(2, name="NVIDIA H100 80GB HBM3", temperature=41, power=73000),
        "gpus_problem": "",
        "conditions": (),
        "checks_unknown": (),
        "version": "0.1",
        "digest": "d",
        "at": now,
        "tick_seconds": 0.1,
    }
    return Snapshot(**{**known, **facts})  # type: ignore[arg-type]


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
async def client(published: Published) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    async with TestClient(TestServer(api.application(published, tick=1.0))) as made:
        yield made


Client = TestClient[web.Request, web.Application]


async def test_before_the_first_tick(client: Client) -> None:
    for path in ("/livez", "/readyz", "/v1/status"):
        assert (await client.get(path)).status == 503
    assert (await client.get("/metrics")).status == 200


@pytest.mark.parametrize("phase", list(Phase))
async def test_only_serving_is_ready(client: Client, published: Published, phase: Phase) -> None:
    published.latest = snapshot(phase)
    expected = 200 if phase is Phase.SERVING else 503
    for path in ("/readyz", "/readyz?engine=main"):
        answer = await client.get(path)
        assert answer.status == expected
        assert phase in await answer.text()
    assert (await client.get("/livez")).status == 200
    assert (await client.get("/readyz?engine=nope")).status == 404


async def test_a_loop_that_does_not_turn_is_not_alive(client: Client, published: Published) -> None:
    published.latest = snapshot(at=time.time() - 60)
    assert (await client.get("/livez")).status == 503


async def test_status_can_be_read_back(client: Client, published: Published) -> None:
    published.latest = snapshot()
    body = await (await client.get("/v1/status")).read()
    assert msgspec.json.decode(body, type=Snapshot) == published.latest


def samples(shown: Snapshot) -> dict[str, float]:
    text = metrics.exposition(shown).decode()
    return {
        f"{s.name}{sorted(s.labels.items())}": s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_metrics_are_well_formed_and_clear_by_themselves() -> None:
    lost = Condition(
        check="gpu_state",
        subject="gpu:GPU-0",
        status=Status.FAIL,
        reason="GpuLost",
        message="m",
        remedy=Remedy.QUARANTINE,
        since=1.0,
    )
    bad = samples(snapshot(Phase.DRAINING, conditions=(lost,)))
    good = samples(snapshot())
    condition = [name for name in bad if name.startswith("stoker_condition")]
    assert len(condition) == 1
    assert condition[0] not in good
    serving = "stoker_engine_phase[('engine', 'main'), ('phase', 'SERVING')]"
    assert (bad[serving], good[serving]) == (0.0, 1.0)
    assert good["stoker_gpu_power_watts[('uuid', 'GPU-1')]"] == 73.0


def test_status_screen_fits() -> None:
    text = show.status(snapshot(), now=time.time())
    assert max(map(len, text.splitlines())) <= 100
    assert "SERVING" in text


class FakeLoop:
    """Takes requests, and does at once what they lead to."""

    def __init__(self, published: Published) -> None:
        self.published = published
        self.asked: list[Requested] = []

    def request(self, name: str, asked: Requested) -> EngineState:
        self.asked.append(asked)
        phase = Phase.DRAINED if asked.verb is Verb.DRAIN else Phase.SERVING
        self.published.latest = snapshot(phase)
        return self.published.latest.engines[name].state


@pytest.fixture
async def loop(tmp_path: Path, published: Published) -> AsyncIterator[FakeLoop]:
    published.latest = snapshot()
    made = FakeLoop(published)
    runner = web.AppRunner(control.application(published, 1.0, made, frozenset({"main"})))
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "s")).start()
    yield made
    await runner.cleanup()


async def run_ctl(tmp_path: Path, *arguments: str) -> int:
    return await anyio.to_thread.run_sync(ctl.main, ["--socket", str(tmp_path / "s"), *arguments])


async def test_ctl_asks_with_actor_and_reason(
    tmp_path: Path, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("drain", "main", "--reason", "fan", "--by", "alice", "--wait", "5")
    assert await run_ctl(tmp_path, *arguments) == 0
    assert loop.asked == [Requested(verb=Verb.DRAIN, by="alice", reason="fan")]
    assert "DRAINED" in capsys.readouterr().out


async def test_ctl_waits_for_a_fresh_start(tmp_path: Path, loop: FakeLoop) -> None:
    arguments = ("restart", "--reason", "x", "--by", "a", "--wait", "5")
    assert await run_ctl(tmp_path, *arguments) == 0


async def test_ctl_names_the_engines_there_are(
    tmp_path: Path, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_ctl(tmp_path, "drain", "nope", "--reason", "x", "--by", "a") == 1
    assert "main" in capsys.readouterr().err
    assert loop.asked == []


async def test_ctl_needs_a_reason(tmp_path: Path, loop: FakeLoop) -> None:
    with pytest.raises(SystemExit) as caught:
        await run_ctl(tmp_path, "drain", "main")
    assert caught.value.code == 2


async def test_ctl_says_when_the_agent_is_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_ctl(tmp_path, "status") == 1
    assert "systemctl status stoker-agent" in capsys.readouterr().err


async def test_ctl_status(
    tmp_path: Path, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_ctl(tmp_path, "status", "--json") == 0
    document = capsys.readouterr().out
    assert msgspec.json.decode(document, type=Snapshot).node == "gpu-1"
