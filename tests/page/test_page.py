"""What the agent serves of its page: files, headers, and the document that is drawn."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from agent import api
from agent.page import document, static
from agent.page.document import Page
from agent.page.history import History
from agent.snapshot import Published
from tests.agent.shown import sick
from tests.page import scenes

Client = TestClient[web.Request, web.Application]
FILES = sorted(path.name for path in static.FILES.iterdir())
SOURCES = [path for path in static.FILES.iterdir() if path.suffix in {".js", ".html"}]


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
async def client(published: Published) -> AsyncIterator[Client]:
    application = api.application(api.Reads(published, tick=1.0))
    async with TestClient(TestServer(application)) as made:
        yield made


async def test_the_page_is_there_before_the_first_tick(client: Client) -> None:
    answer = await client.get("/")
    assert (answer.status, answer.content_type) == (200, "text/html")
    assert "page/node.js" in await answer.text()
    assert (await client.get("/v1/page")).status == 503
    assert (await client.get("/v1/history")).status == 200


@pytest.mark.parametrize("path", ["/", "/page/page.css", "/page/node.js", "/page/icon.svg"])
async def test_the_headers_allow_our_own_files_and_nothing_else(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers
    policy = dict(
        one.strip().partition(" ")[::2] for one in headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


async def test_what_the_browser_has_is_not_sent_again(client: Client) -> None:
    first = await client.get("/page/page.css")
    again = await client.get("/page/page.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")
    other = await client.get("/page/page.css", headers={"If-None-Match": '"other"'})
    assert other.status == 200


@pytest.mark.parametrize("name", ["nope.js", "..%2F__init__.py", "node.html", "%2Fetc%2Fpasswd"])
async def test_only_files_of_the_page_are_files_of_the_page(client: Client, name: str) -> None:
    answer = await client.get(f"/page/{name}")
    assert answer.status == 404
    assert "error" in await answer.json()


async def test_every_file_is_served_and_every_mention_exists(client: Client) -> None:
    for name in FILES:
        if not name.endswith(".html"):
            answer = await client.get(f"/page/{name}")
            assert answer.status == 200
            assert answer.charset == "utf-8"
    for path in SOURCES:
        named = re.findall(r'(?:page/|from "\./)([\w.]+)', path.read_text())
        assert set(named) <= set(FILES), path


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_makes_markup_of_text_and_nothing_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "style="):
        assert word not in text
    assert not re.search(r"\son\w+=\"", text)
    assert set(re.findall(r"https?://[\w./]+", text)) <= {"http://www.w3.org/2000/svg"}


async def test_the_document_says_what_to_do(client: Client, published: Published) -> None:
    published.show(scenes.quarantined())
    body = await (await client.get("/v1/page")).read()
    page = msgspec.json.decode(body, type=Page)
    assert page.outlook["chat"].next == "nothing, until a named person releases it"
    assert page.outlook["chat"].release == (
        'stokerctl ack i-20261128-1 --reason "…"',
        'stokerctl undrain chat --reason "…"',
    )
    assert page.outlook["code"].release == ()
    assert page.gpus[scenes.UUIDS[2]].engines == ("chat",)
    assert page.gpus[scenes.UUIDS[2]].incidents == ("i-20261128-1",)
    assert 0 <= page.age < 5
    assert page.stale_after == 10


def test_rungs_that_are_due_come_with_advice_and_age_with_the_nodes_clock() -> None:
    page = document.page(sick(), time.time() + 60, 10.0)
    assert 59 < page.age < 62
    assert [one.rung for one in page.due] == ["reboot", "quarantine"]
    assert page.due[0].advice.startswith("do it by hand, or set agent_arm_reboot = True")
    assert document.page(sick(), 0.0, 10.0).age == 0


async def test_history_is_of_what_was_published(client: Client, published: Published) -> None:
    for one in scenes.past(scenes.healthy()):
        published.show(one)
    body = await (await client.get("/v1/history")).read()
    found = msgspec.json.decode(body, type=History)
    assert len(found.at) == 178
    assert set(found.engines) == {"chat", "code"}
    assert len(found.gpus) == 8
