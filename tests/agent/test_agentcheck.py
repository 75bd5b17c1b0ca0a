"""The agent-check: the line, the port, and what a real HAProxy makes of them."""

import asyncio
import csv
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent import agentcheck
from agent.agentcheck import line
from tests.ports import free_port

HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
READY = line(serving=True, weight_percent=100, maintenance=False, reason="Serving")
HALF = line(serving=True, weight_percent=50, maintenance=False, reason="Serving")
DRAIN = line(serving=False, weight_percent=100, maintenance=True, reason="Maintenance")
DOWN = line(serving=False, weight_percent=100, maintenance=False, reason="GpuLost")


@pytest.mark.parametrize(
    ("serving", "weight", "maintenance", "reason", "expected"),
    [
        (True, 100, False, "Serving", "up ready 100%\n"),
        (True, 50, False, "Serving", "up ready 50%\n"),
        (True, 0, False, "Serving", "up ready 1%\n"),  # 0 would be a drain
        (True, 250, False, "Serving", "up ready 100%\n"),
        (True, 100, True, "Maintenance", "up drain 100% #Maintenance\n"),
        (False, 75, True, "Maintenance", "up drain 75% #Maintenance\n"),
        (False, 100, False, "GpuLost", "down drain 100% #GpuLost\n"),
        (False, 100, False, "", "down drain 100%\n"),
        (False, 100, False, " \r\n", "down drain 100%\n"),
        (False, 100, False, "Xid 79\r\nup ready\0\u00e9!", "down drain 100% #Xid 79 up ready !\n"),
    ],
)
def test_a_line_is_the_whole_truth(
    serving: bool, weight: int, maintenance: bool, reason: str, expected: str
) -> None:
    said = line(serving=serving, weight_percent=weight, maintenance=maintenance, reason=reason)
    assert said == expected
    states = said.partition("#")[0].replace("%", "").split()
    assert len(states) == 3  # operational, administrative, weight: nothing is left as it was


def test_a_long_reason_does_not_make_a_long_line() -> None:
    said = line(serving=False, weight_percent=1, maintenance=False, reason="why " * 100)
    assert said.count("\n") == 1
    assert len(said) < 110


class Port:
    """A served port. `lines` holds what is answered for each engine, and None for the node."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.lines: dict[str | None, str] = {None: READY}
        self.asked: list[str | None] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await agentcheck.serve("127.0.0.1", self.number, self._answer)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    def _answer(self, engine: str | None) -> str:
        self.asked.append(engine)
        return self.lines[engine]

    async def check(self, send: bytes = b"") -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        try:
            writer.write(send)
            return (await asyncio.wait_for(reader.read(), 5)).decode()
        finally:
            writer.close()


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    made = Port(free_port())
    await made.open()
    yield made
    made.close()


async def test_who_sends_nothing_is_answered_soon(port: Port) -> None:
    begun = time.monotonic()
    assert await port.check() == READY
    assert time.monotonic() - begun < 1.0  # agent-inter as the deploy sets it, its timeout
    assert port.asked == [None]


@pytest.mark.parametrize("sent", [b"code\n", b"engine=code\n", b"engine=code\r\n", b"engine=code"])
async def test_an_engine_is_answered_for_by_name(port: Port, sent: bytes) -> None:
    port.lines["code"] = DRAIN
    assert await port.check(sent) == DRAIN


async def test_the_answer_is_what_is_true_when_it_is_given(port: Port) -> None:
    asking = asyncio.create_task(port.check())
    await asyncio.sleep(agentcheck.LISTEN_FOR / 2)  # connected, and listened to
    port.lines[None] = DOWN
    assert await asking == DOWN


async def test_input_without_end_is_cut_off(port: Port) -> None:
    port.lines["x" * 256] = DOWN
    assert await port.check(b"x" * 100_000) == DOWN


async def test_an_answer_that_breaks_changes_nothing_and_breaks_nothing(port: Port) -> None:
    assert await port.check(b"unknown\n") == ""  # not even an empty line
    assert await port.check() == READY


async def test_who_never_hangs_up_is_hung_up_on(port: Port) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
    assert await reader.readline() == READY.encode()
    for _ in range(40):  # talking on is no reason to be kept
        writer.write(b"x")
        await asyncio.sleep(agentcheck.DEADLINE / 20)
        if writer.transport.is_closing():
            return
    pytest.fail("still connected after twice the deadline")


async def test_what_exceeds_the_bound_is_not_answered(port: Port) -> None:
    crowd = [
        await asyncio.open_connection("127.0.0.1", port.number)
        for _ in range(agentcheck.CONNECTIONS)
    ]
    assert await port.check() == ""
    for _, writer in crowd:
        writer.close()
    for reader, _ in crowd:
        await reader.read()
    assert await port.check() == READY


class Balancer:
    """A real HAProxy before one server, read over its stats socket."""

    CONFIG = """
global
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 2s
    timeout server 2s
frontend all
    bind 127.0.0.1:{front}
    default_backend engines
backend engines
    balance roundrobin
    cookie node insert indirect
    option httpchk GET /health
    server one 127.0.0.1:{server} weight 100 cookie one check inter 100ms fall 1 rise 1 agent-check agent-inter 200ms agent-port {agent} agent-send "engine=main\\n"
"""  # noqa: E501

    def __init__(self, root: Path, server: int, agent: int) -> None:
        self.front = free_port()
        self._socket, self._config = root / "stats", root / "haproxy.cfg"
        self._config.write_text(
            self.CONFIG.format(socket=self._socket, front=self.front, server=server, agent=agent)
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        assert HAPROXY
        process = await asyncio.create_subprocess_exec(
            HAPROXY, "-db", "-f", str(self._config), stderr=asyncio.subprocess.PIPE
        )
        try:
            yield
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def row(self) -> dict[str, str]:
        """Return what HAProxy's statistics show of the server."""
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        writer.write(b"show stat\n")
        shown = (await reader.read()).decode().removeprefix("# ")
        writer.close()
        return next(r for r in csv.DictReader(shown.splitlines()) if r["svname"] == "one")

    async def state(self) -> tuple[str, str]:
        """Return status and effective weight."""
        row = await self.row()
        return row["status"], row["weight"]

    async def ask(self, **headers: str) -> int:
        """Return the status of one request through the balancer."""
        url = f"http://127.0.0.1:{self.front}/"
        async with aiohttp.request("GET", url, headers=headers) as answer:
            return answer.status

    async def becomes(self, *expected: str) -> None:
        """Wait until the state is `expected`."""
        state: tuple[str, ...] = ()
        for _ in range(200):
            try:
                state = await self.state()
            except OSError:  # it is still starting
                state = ()
            if state == expected:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{state} did not become {expected}")

    async def stays(self, *expected: str) -> None:
        """Make sure that the state is `expected` over several checks."""
        for _ in range(20):
            assert await self.state() == expected
            await asyncio.sleep(0.05)


@pytest.mark.skipif(HAPROXY is None, reason="no haproxy here: apt-get install haproxy")
class TestHaproxy:
    @pytest.fixture
    async def health(self) -> list[int]:
        return [200]

    @pytest.fixture
    async def balancer(
        self, tmp_path: Path, port: Port, health: list[int]
    ) -> AsyncIterator[Balancer]:
        async def handle(_: web.Request) -> web.Response:
            return web.Response(status=health[0], text="served")

        app = web.Application()
        app.router.add_get("/{any:.*}", handle)
        port.lines["main"] = READY
        async with TestServer(app) as server:
            assert server.port is not None
            made = Balancer(tmp_path, server.port, port.number)
            async with made.running():
                yield made

    async def test_every_state_follows_the_one_before(self, balancer: Balancer, port: Port) -> None:
        steps = [
            (READY, ("UP", "100")),
            (DRAIN, ("DRAIN (agent)", "100")),
            (READY, ("UP", "100")),
            (HALF, ("UP", "50")),
            (DOWN, ("DOWN (agent)", "100")),
            (DRAIN, ("DRAIN (agent)", "100")),
            (DOWN, ("DOWN (agent)", "100")),
            (HALF, ("UP", "50")),
        ]
        for said, state in steps:
            port.lines["main"] = said
            await balancer.becomes(*state)
        assert set(port.asked) == {"main"}

    @pytest.mark.parametrize(
        ("said", "state"), [(READY, "UP"), (DRAIN, "DRAIN (agent)"), (DOWN, "DOWN (agent)")]
    )
    async def test_an_agent_that_is_dead_or_mute_changes_nothing(
        self, balancer: Balancer, port: Port, said: str, state: str
    ) -> None:
        port.lines["main"] = said
        await balancer.becomes(state, "100")
        del port.lines["main"]  # connects, and gets no answer
        await balancer.stays(state, "100")
        port.close()
        await balancer.stays(state, "100")
        port.lines["main"] = HALF  # what a new agent must say in full
        await port.open()
        await balancer.becomes("UP", "50")

    async def test_the_ordinary_check_has_the_last_word(
        self, balancer: Balancer, port: Port, health: list[int]
    ) -> None:
        await balancer.becomes("UP", "100")
        health[0] = 500
        await balancer.becomes("DOWN", "100")
        await balancer.stays("DOWN", "100")  # though the agent goes on saying up
        health[0] = 200
        await balancer.becomes("UP", "100")

    @pytest.mark.parametrize(
        ("said", "state", "new", "sticky"),
        [(DRAIN, "DRAIN (agent)", 503, 200), (DOWN, "DOWN (agent)", 503, 503)],
    )
    async def test_only_down_keeps_sticky_sessions_out(
        self, balancer: Balancer, port: Port, said: str, state: str, new: int, sticky: int
    ) -> None:
        port.lines["main"] = said
        await balancer.becomes(state, "100")
        assert said.partition("#")[2].strip() in (await balancer.row())["last_agt"]
        assert await balancer.ask() == new
        assert await balancer.ask(Cookie="node=one") == sticky
