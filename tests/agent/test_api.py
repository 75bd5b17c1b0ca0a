"""What the agent answers over HTTP: from the snapshot alone."""

import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from agent import api, metrics, show
from agent.model import Condition, EngineState, Phase, Remedy, Status
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


ALLOWED = {"engine", "phase", "uuid", "check", "subject", "reason", "version", "remediation"}


def test_metrics_have_help_and_bounded_labels() -> None:
    text = metrics.exposition(snapshot()).decode()
    families = list(text_string_to_metric_families(text))
    assert all(f.name.startswith("stoker_") and f.documentation for f in families)
    assert {label for f in families for s in f.samples for label in s.labels} <= ALLOWED
    assert "org/a-model" not in text  # free text makes a new series with every word


def test_gauges_return_to_zero() -> None:
    engine = snapshot().engines["main"]
    idle = msgspec.structs.replace(engine, requests_running=0, requests_waiting=0)
    busy, quiet = samples(snapshot()), samples(snapshot(engines={"main": idle}))
    name = "stoker_engine_requests_running[('engine', 'main')]"
    assert (busy[name], quiet[name]) == (3.0, 0.0)
    blind = samples(snapshot(gpus=None, gpus_problem="the driver hangs"))
    assert (blind["stoker_gpu_blind[]"], quiet["stoker_gpu_blind[]"]) == (1.0, 0.0)


def test_what_is_not_known_is_not_a_number() -> None:
    engine = msgspec.structs.replace(snapshot().engines["main"], requests_running=None)
    shown = samples(snapshot(engines={"main": engine}, gpus=nvml(1, error=15)))
    assert not [name for name in shown if "requests_running" in name or "celsius" in name]


async def test_metrics_over_http(client: Client, published: Published) -> None:
    published.latest = snapshot()
    answer = await client.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "stoker_engine_phase" in await answer.text()


async def test_nothing_can_be_asked_over_http(client: Client, published: Published) -> None:
    published.latest = snapshot()
    for path in ("/v1/drain", "/v1/undrain", "/v1/restart"):
        assert (await client.post(path, json={})).status == 404


async def test_readiness_of_one_engine_is_its_own(client: Client, published: Published) -> None:
    main = snapshot().engines["main"]
    out = msgspec.structs.replace(
        main, state=msgspec.structs.replace(main.state, phase=Phase.DRAINED)
    )
    published.latest = snapshot(Phase.DRAINED, engines={"main": main, "code": out})
    assert (await client.get("/readyz")).status == 503
    assert (await client.get("/readyz?engine=main")).status == 200
    assert (await client.get("/readyz?engine=code")).status == 503


LONG = "word " * 60


@pytest.mark.parametrize(
    "shown",
    [
        snapshot(),
        snapshot(message=LONG),
        snapshot(gpus=None, gpus_problem=LONG, checks_unknown=("gpu_count", "gpu_state")),
        snapshot(gpus=nvml(1, error=15, error_text="GPU is lost"), at=1.0),
        snapshot(
            conditions=(
                Condition(
                    check="c",
                    subject="gpu:GPU-0",
                    status=Status.FAIL,
                    reason="R",
                    message=LONG,
                    remedy=Remedy.DRAIN,
                    since=1.0,
                ),
            )
        ),
    ],
)
def test_status_screen_fits_and_loses_no_word(shown: Snapshot) -> None:
    text = show.status(shown, now=time.time())
    assert max(map(len, text.splitlines())) <= 100
    assert "SERVING" in text
    told = " ".join((shown.message, shown.gpus_problem, *(c.message for c in shown.conditions)))
    assert text.count("word") == told.count("word")
