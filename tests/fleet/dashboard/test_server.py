"""The dashboard over HTTP: all nodes, each page, and no node that slows another."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from agent.page import static
from fleet.dashboard.server import Dashboard, application, fetcher
from fleet.dashboard.targets import Fleet, Target
from tests.fleet.dashboard.fakes import FakeNodes
from tests.page import scenes
from tests.page.site import Site

Client = TestClient[web.Request, web.Application]
NAMES = ("gpu-1", "gpu-2", "gpu-3")


@pytest.fixture
def nodes() -> FakeNodes:
    made = FakeNodes()
    made.shows["http://gpu-1"] = scenes.healthy()
    made.shows["http://gpu-2"] = scenes.quarantined()
    made.hangs.add("http://gpu-3")
    return made


@pytest.fixture
async def dashboard(nodes: FakeNodes) -> AsyncIterator[Dashboard]:
    targets = tuple(Target(name=name, url=f"http://{name}") for name in NAMES)
    made = Dashboard(Fleet(inventory="prod.py", targets=targets), nodes.fetch)
    async with made.watching(every=0.02):
        await asyncio.sleep(0.1)
        yield made


@pytest.fixture
async def client(dashboard: Dashboard) -> AsyncIterator[Client]:
    async with TestClient(TestServer(application(dashboard))) as made:
        yield made


async def test_the_fleet_worst_first_and_who_hangs_slows_nobody(
    client: Client, nodes: FakeNodes
) -> None:
    body = await (await client.get("/v1/fleet")).json()
    assert body["inventory"] == "prod.py"
    found = [(one["name"], one["link"], one["phase"]) for one in body["nodes"]]
    assert found == [
        ("gpu-2", "fresh", "QUARANTINED"),
        ("gpu-3", "asking", ""),
        ("gpu-1", "fresh", "SERVING"),
    ]
    await nodes.asked_of("http://gpu-1/v1/page", 3)
    assert nodes.asked.count("http://gpu-3/v1/page") == 1


async def test_the_page_of_a_node_is_that_of_its_agent(client: Client) -> None:
    answer = await client.get("/nodes/gpu-2/")
    assert answer.headers["Content-Security-Policy"] == static.POLICY
    assert await answer.text() == (static.FILES / "node.html").read_text()
    assert (await client.get("/nodes/gpu-2/page/node.js")).status == 200
    page = await (await client.get("/nodes/gpu-2/v1/page")).json()
    assert page["snapshot"]["phase"] == "QUARANTINED"
    assert page["outlook"]["chat"]["release"]
    silent = await client.get("/nodes/gpu-3/v1/page")
    assert (silent.status, await silent.json()) == (503, {"error": "gpu-3 is being asked"})


async def test_what_is_passed_on_is_a_short_list(client: Client, nodes: FakeNodes) -> None:
    nodes.answers["http://gpu-1/v1/history"] = (200, b'{"at": []}')
    assert await (await client.get("/nodes/gpu-1/v1/history")).json() == {"at": []}
    for path, status in (
        ("/nodes/gpu-1/v1/drain", 404),
        ("/nodes/gpu-1/v1/..%2Fmetrics", 404),
        ("/nodes/nope/", 404),
        ("/nodes/nope/v1/page", 404),
    ):
        assert (await client.get(path)).status == status
    assert not [url for url in nodes.asked if "drain" in url or "metrics" in url]


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b'{"x": ' + b"[" * 100_000])
async def test_a_node_that_answers_garbage_stops_nobody(
    client: Client, nodes: FakeNodes, body: bytes
) -> None:
    nodes.answers["http://gpu-2/v1/page"] = (200, body)
    before = nodes.asked.count("http://gpu-2/v1/page")
    await nodes.asked_of("http://gpu-2/v1/page", before + 2)
    found = {one["name"]: one["link"] for one in (await _fleet(client))["nodes"]}
    assert found == {"gpu-1": "fresh", "gpu-2": "silent", "gpu-3": "asking"}
    nodes.shows["http://gpu-1"] = scenes.draining()
    await nodes.asked_of("http://gpu-1/v1/page", nodes.asked.count("http://gpu-1/v1/page") + 2)
    assert "DRAINING" in [one["phase"] for one in (await _fleet(client))["nodes"]]


async def _fleet(client: Client) -> Any:
    return await (await client.get("/v1/fleet")).json()


async def test_a_stream_tells_when_a_node_changes(client: Client, nodes: FakeNodes) -> None:
    streams = [await client.get(path) for path in ("/v1/events", "/nodes/gpu-1/v1/events")]
    for stream in streams:
        assert stream.content_type == "text/event-stream"
        assert b"event: snapshot" in await stream.content.readuntil(b"\n\n")
    nodes.shows["http://gpu-1"] = scenes.draining()
    for stream in streams:
        async with asyncio.timeout(5):
            assert b"event: snapshot" in await stream.content.readuntil(b"\n\n")
        stream.close()


@pytest.mark.parametrize("path", ["/", "/v1/fleet", "/nodes/gpu-1/v1/page", "/nope"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:9760",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.5",
        "[::2]:1",
        "[::1",
        "::1",
        "",
        "localhost:1:2",
        "a@127.0.0.1",
        "0.0.0.0:9760",
    ],
)
async def test_on_loopback_a_request_for_another_name_is_refused(
    client: Client, host: str, path: str
) -> None:
    answer = await client.get(path, headers={"Host": host})
    assert (answer.status, (await answer.json())["error"]) == (
        421,
        "this dashboard listens on 127.0.0.1, so it answers to localhost, 127.0.0.1 and [::1] "
        f"only, not to {host!r}; a proxy in front of it must ask for those",
    )


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:80",
        "127.0.0.1",
        "127.0.0.1:4242",
        "127.0.0.2:9760",
        "[::1]",
        "[::1]:9760",
    ],
)
async def test_by_a_name_of_loopback_it_is_reached_through_any_port(
    client: Client, host: str
) -> None:
    assert (await client.get("/v1/fleet", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    ("listen", "status"),
    [
        ("127.0.0.1", 421),
        ("127.0.0.2", 421),
        ("::1", 421),
        ("localhost", 421),
        ("0.0.0.0", 200),
        ("10.0.0.5", 200),
        ("desk.example", 200),
    ],
)
async def test_who_serves_it_to_others_has_names_of_their_own(
    dashboard: Dashboard, listen: str, status: int
) -> None:
    async with TestClient(TestServer(application(dashboard, listen))) as made:
        answer = await made.get("/v1/fleet", headers={"Host": "dashboard.example"})
        assert answer.status == status


async def test_the_real_thing_over_a_network() -> None:
    site = Site()
    await site.start()
    site.lived(scenes.healthy())
    async with aiohttp.ClientSession() as http:
        fetch = fetcher(http)
        status, body = await fetch(f"{site.url}/v1/page")
        assert (status, body[:5]) == (200, b'{"age')
        await site.stop()
        with pytest.raises(ConnectionError, match=r"^127\.0\.0\.1:\d+: Connection refused$"):
            await fetch(f"{site.url}/v1/page")


@pytest.mark.parametrize("host", ["x" * 70, "a..b"])
async def test_a_host_that_is_no_name_is_one_that_is_not_reached(host: str) -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(ConnectionError, match=rf"^http://{host}:9750/: encoding with 'idna'"):
            await fetcher(http)(f"http://{host}:9750/")
