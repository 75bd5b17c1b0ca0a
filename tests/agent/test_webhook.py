"""The webhook against a real receiver: in order, signed, once, and never in the way."""

import asyncio
import json
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.webhook import Webhook
from agent.webhook_queue import LIFETIME, LIMIT, Queue, Waiting, delay, retry_after, settle
from agent.webhook_signature import sign, verify
from agent.webhook_spool import Spool
from tests.agent.fakes import FakeClock
from tests.ports import free_port

SECRET = b"a secret that nobody else has"
TOKEN = "token-in-the-url"


class Receiver:
    """Takes what comes; `statuses` are given out first, then 200."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []  # id and body of all requests, refused or not
        self.taken: list[str] = []  # ids answered with 200
        self.verified: list[bool] = []
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        self.elsewhere = 0
        self.open = asyncio.Event()
        self.open.set()
        app = web.Application()
        app.router.add_post(f"/hook/{TOKEN}", self._handle)
        app.router.add_route("*", "/elsewhere", self._elsewhere)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url(f"/hook/{TOKEN}"))

    async def _handle(self, request: web.Request) -> web.Response:
        body, name = await request.read(), request.headers["Stoker-Event-Id"]
        self.got.append((name, body))
        stamp, signature = (request.headers[f"Stoker-{h}"] for h in ("Timestamp", "Signature"))
        self.verified.append(verify(SECRET, stamp, body, signature, now=1000.0))
        await self.open.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.taken.append(name)
        return web.Response(status=status, headers=self.headers)

    async def _elsewhere(self, _: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response()


class Pauses:
    """Remembers the pauses between tries; `each` happens in every one of them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.each: Callable[[], object] = lambda: None

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.each()
        await asyncio.sleep(0.001)


class Node:
    """An agent's webhook that can be started again."""

    def __init__(self, root: Path, url: str, http: aiohttp.ClientSession) -> None:
        self.spool, self.url, self._http = root / "agent" / "webhook.json", url, http
        self.clock, self.pauses, self.jitter = FakeClock(), Pauses(), 1.0
        self.deadline = 5.0

    def webhook(self) -> Webhook:
        return Webhook(
            self.url,
            SECRET,
            self._http,
            "gpu-1",
            self.spool,
            self.clock,
            self.pauses,
            lambda: self.jitter,
            self.deadline,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Webhook]:
        webhook = self.webhook()
        task = asyncio.create_task(webhook.run())
        try:
            yield webhook
        finally:
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    async with made.server:
        yield made
        made.open.set()


@pytest.fixture
async def node(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Node]:
    async with aiohttp.ClientSession() as http:
        yield Node(tmp_path, receiver.url, http)


def event(name: str) -> dict[str, object]:
    return {"id": name, "at": 1000.0, "kind": "phase", "engine": "main", "phase": "DRAINING"}


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.005)
    pytest.fail("did not come true within 5 s")


async def test_an_event_arrives_signed_and_complete(node: Node, receiver: Receiver) -> None:
    async with node.running() as webhook:
        webhook.tell(event("a"))
        await until(lambda: webhook.sent == 1)
    (name, body) = receiver.got[0]
    assert name == "a"
    assert json.loads(body) == {**event("a"), "node": "gpu-1"}
    assert receiver.verified == [True]
    assert webhook.waiting == 0


async def test_order_is_kept_through_trouble(node: Node, receiver: Receiver) -> None:
    receiver.statuses = [200, 503, 500, 429, 200, 503]
    async with node.running() as webhook:
        for name in "abc":
            webhook.tell(event(name))
        await until(lambda: webhook.sent == 3)
    assert [name for name, _ in receiver.got] == ["a", "b", "b", "b", "b", "c", "c"]
    assert node.pauses.seconds == [2.0, 4.0, 8.0, 2.0]
    assert all(receiver.verified)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
async def test_what_is_refused_for_good_is_dropped_and_counted(
    node: Node, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]
    async with node.running() as webhook:
        webhook.tell(event("a"))
        webhook.tell(event("b"))
        await until(lambda: webhook.sent == 1)
        webhook.tell(event("a"))
        await asyncio.sleep(0.02)
    assert (receiver.taken, webhook.dropped) == (["b"], {"Refused": 1})
    assert len(receiver.got) == 2
    assert node.pauses.seconds == []


@pytest.mark.parametrize("status", [302, 307, 408, 429, 500, 502, 503])
async def test_what_may_pass_is_tried_again(node: Node, receiver: Receiver, status: int) -> None:
    receiver.statuses, receiver.headers = [status], {"Location": "/elsewhere"}
    async with node.running() as webhook:
        webhook.tell(event("a"))
        await until(lambda: webhook.sent == 1)
    assert (receiver.taken, len(receiver.got), webhook.dropped) == (["a"], 2, {})
    assert receiver.elsewhere == 0  # a signed body follows nobody's redirection


async def test_an_event_told_twice_is_sent_once_even_over_a_restart(
    node: Node, receiver: Receiver
) -> None:
    async with node.running() as webhook:
        webhook.tell(event("a"))
        webhook.tell(event("a"))
        await until(lambda: webhook.sent == 1)
        webhook.tell(event("a"))
    async with node.running() as webhook:
        webhook.tell(event("a"))
        webhook.tell(event("b"))
        await until(lambda: webhook.sent == 1)
    assert receiver.taken == ["a", "b"]


async def test_what_waits_survives_the_agent(node: Node, receiver: Receiver) -> None:
    receiver.open.clear()
    async with node.running() as webhook:
        for name in "abc":
            webhook.tell(event(name))
        # As far as the disk knows at any moment: a kill -9 takes nothing away.
        await until(lambda: [e.id for e in Spool(node.spool).load().waiting] == ["a", "b", "c"])
    assert receiver.taken == []
    receiver.open.set()
    async with node.running() as webhook:
        assert webhook.waiting == 3
        await until(lambda: webhook.sent == 3)
    assert receiver.taken[-3:] == ["a", "b", "c"]
    assert [name for name, _ in receiver.got][-3:] == ["a", "b", "c"]


async def test_the_spool_is_private_and_whole(node: Node, receiver: Receiver) -> None:
    async with node.running() as webhook:
        webhook.tell(event("a"))
        await until(lambda: webhook.sent == 1)
    assert stat.S_IMODE(node.spool.stat().st_mode) == 0o600
    assert [path.name for path in node.spool.parent.iterdir()] == ["webhook.json"]
    assert SECRET not in node.spool.read_bytes()


@pytest.mark.parametrize("content", [b"", b"{", b'{"waiting": 3}'])
async def test_a_garbled_spool_costs_what_was_in_it_only(
    node: Node, receiver: Receiver, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    node.spool.parent.mkdir()
    node.spool.write_bytes(content)
    async with node.running() as webhook:
        webhook.tell(event("a"))
        await until(lambda: webhook.sent == 1)
    assert "events that waited there are lost" in caplog.text
    assert Spool(node.spool).load().settled == ("a",)


async def test_a_spool_that_cannot_be_written_stops_nothing(
    node: Node, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    node.spool.parent.write_text("a file where the directory should be")
    async with node.running() as webhook:
        for name in "abc":
            webhook.tell(event(name))
            await until(lambda: webhook.waiting == 0)
    assert receiver.taken == ["a", "b", "c"]
    assert caplog.text.count("events wait in memory only") == 1


async def test_telling_waits_for_nobody(node: Node, receiver: Receiver) -> None:
    receiver.open.clear()
    async with node.running() as webhook:
        webhook.tell(event("first"))
        await until(lambda: len(receiver.got) == 1)
        begun = time.monotonic()
        for number in range(200):
            webhook.tell(event(str(number)))
        assert time.monotonic() - begun < 0.5
        receiver.open.set()
        await until(lambda: webhook.sent == 201)


async def test_a_receiver_that_is_slow_or_dead_is_tried_again(
    node: Node, receiver: Receiver
) -> None:
    node.deadline = 0.1
    receiver.open.clear()
    node.pauses.each = receiver.open.set
    async with node.running() as webhook:
        webhook.tell(event("slow"))
        await until(lambda: webhook.sent == 1)
    assert [name for name, _ in receiver.got] == ["slow", "slow"]
    node.url = f"http://127.0.0.1:{free_port()}/hook/{TOKEN}"
    node.pauses.seconds.clear()
    async with node.running() as webhook:
        webhook.tell(event("dead"))
        await until(lambda: len(node.pauses.seconds) >= 12)
        assert webhook.waiting == 1
    assert node.pauses.seconds[:4] == [2.0, 4.0, 8.0, 16.0]
    assert node.pauses.seconds[-1] == 300.0


async def test_an_event_is_given_up_after_a_day(node: Node, receiver: Receiver) -> None:
    receiver.statuses = [503] * 1000

    def later() -> None:
        node.clock.now += LIFETIME / 10

    node.pauses.each = later
    async with node.running() as webhook:
        webhook.tell(event("a"))
        await until(lambda: webhook.dropped == {"TooOld": 1})
        webhook.tell(event("b"))
        receiver.statuses.clear()
        await until(lambda: webhook.sent == 1)
    assert 10 <= len(node.pauses.seconds) <= 12
    assert receiver.taken == ["b"]


async def test_a_full_spool_drops_the_oldest_but_the_one_on_its_way(
    node: Node, receiver: Receiver
) -> None:
    receiver.open.clear()
    async with node.running() as webhook:
        webhook.tell(event("first"))
        await until(lambda: len(receiver.got) == 1)
        for number in range(LIMIT + 4):
            webhook.tell(event(str(number)))
        assert webhook.waiting == LIMIT
        assert webhook.dropped == {"SpoolFull": 5}
        receiver.open.set()
        await until(lambda: webhook.sent >= 3)
    assert receiver.taken[:3] == ["first", "5", "6"]


async def test_patience_is_shown_when_it_is_asked_for(node: Node, receiver: Receiver) -> None:
    receiver.statuses, receiver.headers = [429, 503], {"Retry-After": "120"}
    async with node.running() as webhook:
        webhook.tell(event("a"))
        await until(lambda: webhook.sent == 1)
    assert node.pauses.seconds == [120.0, 120.0]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0.0),
        ("120", 120.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("9" * 30, 0.0),
        (formatdate(1090.0, usegmt=True), 90.0),
        (formatdate(900.0, usegmt=True), 0.0),
        ("Thu, 99 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read(header: str | None, seconds: float) -> None:
    assert retry_after(header, now=1000.0) == seconds


@pytest.mark.parametrize(
    ("tries", "asked", "jitter", "seconds"),
    [
        (1, 0.0, 0.0, 1.0),
        (1, 0.0, 1.0, 2.0),
        (3, 0.0, 0.5, 6.0),
        (9, 0.0, 0.0, 150.0),
        (5000, 0.0, 1.0, 300.0),
        (1, 60.0, 1.0, 60.0),
        (9, 60.0, 1.0, 300.0),  # never sooner than we would come anyway
        (1, 1e9, 0.0, 3600.0),
    ],
)
def test_waits_grow_and_are_bounded(
    tries: int, asked: float, jitter: float, seconds: float
) -> None:
    assert delay(tries, asked, jitter) == seconds


def test_only_so_many_ids_are_remembered() -> None:
    queue = Queue(waiting=(Waiting("last", 0.0, "{}"),))
    for number in range(2500):
        queue = settle(queue, str(number))
    assert (len(queue.settled), queue.settled[-1]) == (2000, "2499")
    assert [event.id for event in queue.waiting] == ["last"]


@pytest.fixture
async def garbler() -> AsyncIterator[int]:
    """The port of a server that does not speak HTTP."""

    async def garble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(garble, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_neither_secret_nor_url_is_logged(
    node: Node, receiver: Receiver, garbler: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    node.deadline = 0.05
    receiver.open.clear()
    node.pauses.each = receiver.open.set
    receiver.statuses = [503, 404]
    async with node.running() as webhook:
        webhook.tell(event("a"))
        await until(lambda: webhook.dropped == {"Refused": 1})
    for port in (free_port(), garbler):
        node.url = f"http://127.0.0.1:{port}/hook/{TOKEN}"
        node.pauses.seconds.clear()
        async with node.running() as webhook:
            webhook.tell(event("b"))
            await until(lambda: len(node.pauses.seconds) > 2)
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("stoker"))
    assert "event a is dropped: reason=Refused" in ours
    assert ours.count("cannot be reached") == 3  # once for each trouble, not for each try
    assert TOKEN not in ours
    assert SECRET.decode() not in caplog.text


@pytest.mark.parametrize("name", ["", "a b", "a\r\nX-Evil: 1", "\u00e9", "x" * 129])
async def test_an_id_that_fits_no_header_is_a_mistake(node: Node, name: str) -> None:
    with pytest.raises(ValueError, match="header"):
        node.webhook().tell(event(name))


BODY = b'{"id":"a"}'
SIGNED = sign(SECRET, "1000", BODY)


def test_the_signature_is_what_openssl_makes() -> None:
    # printf '%s' '1000.{"id":"a"}' | openssl dgst -sha256 -hmac 'a secret that nobody else has'
    assert SIGNED == "sha256=a7f01c33d2ed1a1740cd0dd4c2c5052deb7dc561f6d56f0953e0cc84a22a2958"


@pytest.mark.parametrize(
    ("secret", "stamp", "body", "signature", "now", "good"),
    [
        (SECRET, "1000", BODY, SIGNED, 1000.0, True),
        (SECRET, "1000", BODY, SIGNED, 1300.0, True),
        (SECRET, "1000", BODY, SIGNED, 700.0, True),
        (SECRET, "1000", BODY, SIGNED, 1301.0, False),  # a replay
        (SECRET, "1000", BODY, SIGNED, 699.0, False),
        (b"other", "1000", BODY, SIGNED, 1000.0, False),
        (SECRET, "1001", BODY, SIGNED, 1000.0, False),
        (SECRET, "1000", BODY + b" ", SIGNED, 1000.0, False),
        (SECRET, "1000", BODY, SIGNED.removeprefix("sha256="), 1000.0, False),
        (SECRET, "1000", BODY, SIGNED[:-1], 1000.0, False),
        (SECRET, "1000", BODY, "", 1000.0, False),
        (SECRET, "1000", BODY, "sha256=\u00e9\udcff", 1000.0, False),
        (SECRET, "1e3", BODY, SIGNED, 1000.0, False),
        (SECRET, "", BODY, SIGNED, 1000.0, False),
        (SECRET, "9" * 5000, BODY, SIGNED, 1000.0, False),
        (SECRET, "\u0661000", BODY, SIGNED, 1000.0, False),
    ],
)
def test_a_receiver_can_tell(
    secret: bytes, stamp: str, body: bytes, signature: str, now: float, good: bool
) -> None:
    assert verify(secret, stamp, body, signature, now) is good


def test_a_spool_can_be_read_back(tmp_path: Path) -> None:
    queue = Queue(waiting=(Waiting("a", 1.0, msgspec.json.encode(event("a")).decode()),))
    spool = Spool(tmp_path / "spool")
    spool.save(lambda: queue)
    assert spool.load() == queue
