"""The stream of events over a real server: what comes first, what is missed, who is dropped."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from agent import api, sse
from agent.documents import Summary
from agent.news import News, NewsKind
from agent.snapshot import Published
from agent.sse import Feed
from tests.agent.shown import sick, snapshot

Client = TestClient[web.Request, web.Application]


class Event(msgspec.Struct):
    """One event as a browser would take it."""

    kind: str
    id: str
    data: str


class Stream:
    """Reads events off an answer, within 5 s each; comments are counted."""

    def __init__(self, answer: ClientResponse) -> None:
        self.answer, self.comments = answer, 0

    async def next(self) -> Event:
        fields: dict[str, str] = {}
        async with asyncio.timeout(5):
            while True:
                line = (await self.answer.content.readline()).decode()
                assert line, "the stream has ended"
                name, _, value = line.rstrip("\n").partition(": ")
                if line == "\n" and fields:
                    return Event(fields.get("event", ""), fields.get("id", ""), fields["data"])
                if line != "\n" and not name:
                    self.comments += 1
                elif line != "\n":
                    fields[name] = value

    async def rest(self) -> list[str]:
        """The ids of all that still comes, until the stream ends."""
        async with asyncio.timeout(5):
            text = (await self.answer.content.read()).decode()
        return [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]


@pytest.fixture
def feed() -> Feed:
    return Feed(keep_alive=0.05)


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
async def client(published: Published, feed: Feed) -> AsyncIterator[Client]:
    reads = api.Reads(published, 1.0, feed=feed)
    async with TestClient(TestServer(api.application(reads))) as made:
        yield made


def some(*names: str) -> list[News]:
    return [News(id=name, at=1.0, kind=NewsKind.PHASE, facts={"engine": "main"}) for name in names]


async def connect(client: Client, last: str = "") -> Stream:
    headers = {"Last-Event-ID": last} if last else {}
    answer = await client.get("/v1/events", headers=headers)
    assert (answer.status, answer.content_type) == (200, "text/event-stream")
    return Stream(answer)


async def test_the_node_first_and_then_each_piece_of_news(
    client: Client, published: Published
) -> None:
    published.show(snapshot())
    stream = await connect(client)
    first = await stream.next()
    shown = msgspec.json.decode(first.data, type=Summary)
    assert (first.kind, shown.node, shown.engines["main"].in_flight) == ("snapshot", "gpu-1", 4)
    published.show(sick())
    event = await stream.next()
    while event.kind != "incident-opened":
        event = await stream.next()
    one = msgspec.json.decode(event.data, type=News)
    assert (one.id, one.kind, one.facts["incident"]) == (event.id, event.kind, "i-1")


async def test_who_comes_back_gets_what_was_missed(
    client: Client, published: Published, feed: Feed
) -> None:
    published.latest = snapshot()
    feed.take(some("a", "b", "c"))
    stream = await connect(client, last="a")
    first = await stream.next()
    assert first.id == ""  # or the client would ask for what comes after the snapshot next time
    assert msgspec.json.decode(first.data, type=Summary).resumed
    assert [(await stream.next()).id, (await stream.next()).id] == ["b", "c"]
    feed.take(some("d"))
    assert (await stream.next()).id == "d"


@pytest.mark.parametrize("last", ["", "older-than-all"])
async def test_who_is_new_begins_at_the_end(
    client: Client, published: Published, feed: Feed, last: str
) -> None:
    published.latest = snapshot()
    feed.take(some("a", "b"))
    stream = await connect(client, last)
    first = await stream.next()
    assert first.id == "b"
    assert not msgspec.json.decode(first.data, type=Summary).resumed
    feed.take(some("c"))
    assert (await stream.next()).id == "c"


async def test_the_ring_reaches_back_so_far_and_no_further(
    client: Client, published: Published, feed: Feed
) -> None:
    published.latest = snapshot()
    names = [f"n{number}" for number in range(sse.KEPT + 10)]
    feed.take(some(*names))
    for last, missed in ((names[10], sse.KEPT - 1), (names[9], 0)):
        stream = await connect(client, last)
        assert msgspec.json.decode((await stream.next()).data, type=Summary).resumed is bool(missed)
        feed.close()
        assert await stream.rest() == (names[-missed:] if missed else [])


async def test_silence_is_broken_by_comments(client: Client, published: Published) -> None:
    published.latest = snapshot()
    stream = await connect(client)
    await stream.next()
    await asyncio.sleep(0.2)
    published.show(sick())
    await stream.next()
    assert stream.comments >= 2


async def test_the_end_of_the_agent_ends_the_stream(published: Published, feed: Feed) -> None:
    published.latest = snapshot()
    runner = web.AppRunner(api.application(api.Reads(published, 1.0, feed=feed)))
    server = TestServer(runner.app)
    async with TestClient(server) as client:
        stream = await connect(client)
        await stream.next()
        begun = asyncio.get_running_loop().time()
        await server.close()
        assert await stream.rest() == []
        assert asyncio.get_running_loop().time() - begun < 2


async def test_no_more_than_so_many_streams(published: Published) -> None:
    """The place of who has gone is free at once, not with the next comment."""
    published.latest = snapshot()
    feed = Feed(keep_alive=60.0)
    app = api.application(api.Reads(published, 1.0, feed=feed))
    async with TestClient(TestServer(app)) as client:
        streams = [await connect(client) for _ in range(sse.CLIENTS)]
        refused = await client.get("/v1/events")
        assert refused.status == 503
        assert "open already" in (await refused.json())["error"]
        streams[0].answer.close()
        await until(feed, sse.CLIENTS - 1)
        await connect(client)


async def test_who_reads_too_slowly_is_told_and_dropped(
    client: Client, published: Published, feed: Feed
) -> None:
    """What waits for one client is bounded, and nobody else waits for it."""
    published.latest = snapshot()
    slow, quick = await connect(client), await connect(client)
    assert (await slow.next()).kind == (await quick.next()).kind == "snapshot"
    feed.take(some(*(f"n{number}" for number in range(sse.QUEUED + 1))))  # at once: nobody can
    event = await slow.next()
    assert (event.kind, event.id) == ("overflow", "")
    assert await slow.rest() == []
    again = await connect(client, last=f"n{sse.QUEUED - 1}")
    assert (await again.next()).kind == "snapshot"
    assert (await again.next()).id == f"n{sse.QUEUED}"


async def test_who_does_not_read_at_all_is_given_up(published: Published) -> None:
    """Even the word that it is dropped cannot be written: the connection is cut."""
    feed = Feed(keep_alive=0.05, patience=0.2)
    published.latest = snapshot(message="x" * 8_000_000)  # more than the sockets hold
    async with TestServer(api.application(api.Reads(published, 1.0, feed=feed))) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(feed, 1)
        await until(feed, 0)
        writer.close()


async def until(feed: Feed, clients: int) -> None:
    for _ in range(500):
        if feed.clients == clients:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{feed.clients} clients instead of {clients}")
