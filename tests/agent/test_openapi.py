"""The OpenAPI document against a real server: a fuzzer accepts it, and it leaves no route out."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import aiohttp
import msgspec
import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi import checks

from agent import api, control, openapi
from agent.errors import ActionError
from agent.model import EngineState, Requested
from agent.snapshot import Published
from tests.agent.shown import sick

DOCUMENT = openapi.document(writes=True)
CHECKS: list[CheckFunction] = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT).exclude(path="/v1/events", method="GET")


class Obedient:
    """A loop that does all it is asked, but knows no incident."""

    def __init__(self, published: Published) -> None:
        self._published = published

    def request(self, name: str, asked: Requested) -> EngineState:
        assert self._published.latest is not None
        return self._published.latest.engines[name].state

    def acknowledge(self, incident: str, by: str, reason: str) -> None:
        if incident != "i-1":
            raise ActionError(f"no open incident {incident!r}")

    def free(self, by: str, reason: str) -> None:
        pass


class Server:
    """The reads and the writes on one loopback port, in a thread: the fuzzer blocks."""

    def __init__(self) -> None:
        self.published = Published()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)

    async def _serve(self) -> str:
        reads = api.Reads(self.published, 1.0)
        app = control.application(reads, Obedient(self.published), frozenset({"main"}))
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


# No fixture per example: the server is the same for all.
FUZZ = settings(
    max_examples=15,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@SCHEMA.parametrize()
@FUZZ
def test_a_fuzzer_finds_nothing_that_is_not_documented(
    case: schemathesis.Case[Any], server: Server
) -> None:
    server.published.show(sick())
    case.call_and_validate(base_url=server.url, checks=CHECKS)


@SCHEMA.include(method="GET").parametrize()
@settings(parent=FUZZ, max_examples=3)
def test_nor_before_the_first_tick(case: schemathesis.Case[Any], server: Server) -> None:
    server.published.latest = None
    case.call_and_validate(base_url=server.url, checks=CHECKS)


def routes(app: web.Application) -> set[tuple[str, str]]:
    return {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None
    }


def documented(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method, path) for path, item in document["paths"].items() for method in item}


def test_every_route_is_documented_and_no_other() -> None:
    published = Published()
    reads = api.Reads(published, 1.0)
    assert routes(api.application(reads)) == documented(openapi.document(writes=False))
    writes = control.application(reads, Obedient(published), frozenset())
    assert routes(writes) == documented(DOCUMENT)


async def test_each_end_answers_with_its_own_document(server: Server) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/openapi.json") as answer:
        assert msgspec.json.decode(await answer.read()) == msgspec.json.decode(openapi.WRITES)
    assert "post" not in openapi.READS.decode()
    assert not [path for path, item in DOCUMENT["paths"].items() if not item]
