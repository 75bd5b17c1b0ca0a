"""What the agent answers over HTTP: from the snapshot alone."""

import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from agent import api, show
from agent.documents import Gpus, GpuView, Incidents
from agent.model import Condition, Phase, Remedy, Status
from agent.snapshot import Published, Snapshot
from agent.xid.incident import Incident
from tests.agent.fakes import nvml
from tests.agent.shown import condition, sick, snapshot


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
async def client(published: Published) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    reads = api.Reads(published, tick=1.0)
    async with TestClient(TestServer(api.application(reads))) as made:
        yield made


Client = TestClient[web.Request, web.Application]


async def test_before_the_first_tick(client: Client) -> None:
    for path in ("/livez", "/readyz"):
        answer = await client.get(path)
        assert (answer.status, answer.content_type) == (503, "text/plain")
    for path in ("status", "incidents", "incidents/i-1", "gpus", "gpus/GPU-0", "events"):
        answer = await client.get(f"/v1/{path}")
        assert answer.status == 503
        assert await answer.json() == {"error": "Starting: no tick has ended yet"}
    assert (await client.get("/metrics")).status == 200
    assert (await client.get("/openapi.json")).status == 200


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


async def ids(client: Client, query: str) -> list[str]:
    body = await (await client.get(f"/v1/incidents{query}")).read()
    return [one.id for one in msgspec.json.decode(body, type=Incidents).incidents]


async def test_incidents_by_state_and_by_id(client: Client, published: Published) -> None:
    published.show(sick())
    assert await ids(client, "") == await ids(client, "?state=open") == ["i-1", "i-3", "i-4"]
    assert await ids(client, "?state=closed") == ["i-2"]
    assert await ids(client, "?state=all") == ["i-2", "i-1", "i-3", "i-4"]
    for name in ("i-1", "i-2"):
        body = await (await client.get(f"/v1/incidents/{name}")).read()
        assert msgspec.json.decode(body, type=Incident).id == name


async def test_gpus_with_what_is_about_them(client: Client, published: Published) -> None:
    published.show(sick())
    found = msgspec.json.decode(await (await client.get("/v1/gpus")).read(), type=Gpus)
    assert (found.driver, found.problem) == ("595.91.07", "the driver hangs")
    lost, well, unlisted = found.gpus
    assert (lost.uuid, lost.engines, lost.incidents) == ("GPU-0", ("main",), ("i-1", "i-4"))
    assert [one.reason for one in lost.conditions] == ["GpuLost"]
    assert (well.engines, well.conditions, well.incidents) == ((), (), ())
    assert (unlisted.uuid, unlisted.gpu, len(unlisted.conditions)) == ("GPU-9", None, 1)
    one = await (await client.get("/v1/gpus/GPU-0")).read()
    assert msgspec.json.decode(one, type=GpuView) == lost


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/incidents?state=opne", 400, "state = 'opne': use one of open, closed, all"),
        ("/v1/incidents?sate=open", 400, "unknown parameter 'sate'; known here: state"),
        ("/v1/status?full", 400, "unknown parameter 'full'; known here: none"),
        ("/v1/incidents/nope", 404, "no incident 'nope' is known; open: i-1, i-3, i-4"),
        ("/v1/gpus/GPU-7", 404, "no GPU 'GPU-7' here; there are: GPU-0, GPU-1, GPU-9"),
        ("/v1/nope", 404, "GET /v1/nope: Not Found"),
    ],
)
async def test_an_error_is_one_sentence(
    client: Client, published: Published, path: str, status: int, words: str
) -> None:
    published.show(sick())
    answer = await client.get(path)
    assert answer.status == status
    assert await answer.json() == {"error": words}


async def test_other_methods(client: Client, published: Published) -> None:
    published.show(sick())
    for path in ("/livez", "/readyz", "/v1/status", "/v1/gpus/GPU-0", "/v1/events", "/metrics"):
        head, get = await client.head(path), await client.get(path)
        assert (head.status, head.content_type) == (get.status, get.content_type)
        assert await head.read() == b""
        get.close()
    answer = await client.delete("/v1/status")
    assert answer.status == 405
    assert (await answer.json())["error"] == "DELETE /v1/status: Method Not Allowed"
    assert answer.headers["Allow"] == "GET,HEAD"


async def test_an_answer_that_breaks_is_an_error_like_others(
    client: Client, published: Published
) -> None:
    published.latest = snapshot(gpus="garbage")
    answer = await client.get("/v1/gpus")
    assert answer.status == 500
    assert "the agent's journal has the reason" in (await answer.json())["error"]


async def test_metrics_over_http(client: Client, published: Published) -> None:
    published.latest = snapshot()
    answer = await client.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "stoker_engine_phase" in await answer.text()


async def test_nothing_can_be_asked_over_http(client: Client, published: Published) -> None:
    published.latest = snapshot()
    for path in ("/v1/drain", "/v1/undrain", "/v1/restart", "/v1/ack"):
        assert (await client.post(path, json={})).status == 404


async def test_readiness_of_one_engine_is_its_own(client: Client, published: Published) -> None:
    main = snapshot().engines["main"]
    out = msgspec.structs.replace(
        main, state=msgspec.structs.replace(main.state, phase=Phase.DRAINED)
    )
    published.latest = snapshot(Phase.DRAINED, engines={"main": main, "code": out})
    assert (await client.get("/readyz?engine=main")).status == 200
    assert (await client.get("/readyz?engine=code")).status == 503
    assert (await client.get("/readyz")).status == 200  # they are replicas: the model is served
    other = msgspec.structs.replace(out, served_name="org/other")
    published.latest = snapshot(Phase.DRAINED, engines={"main": main, "code": other})
    assert (await client.get("/readyz")).status == 503


LONG = "word " * 60


def test_status_shows_incidents_rungs_and_lost_capacity() -> None:
    text = show.status(sick(), now=time.time())
    assert "with 50% of its capacity" in text
    assert "! incident i-1: needs quarantine; only a person may close it: stokerctl ack" in text
    assert "! incident i-3: its company is awaited" in text
    assert "> reboot of node is due: the agent may not do this by itself; do it by hand" in text
    assert "> gpu:GPU-0: no rung is left; a person has to look at it" in text
    assert max(map(len, text.splitlines())) <= 100


def test_no_text_of_a_log_steers_the_terminal() -> None:
    shown = snapshot(conditions=(condition(message="a \x1b[2J b\x07\u202e c"),))
    text = show.status(shown, now=time.time())
    assert not set("\x1b\x07\u202e") & set(text)


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
