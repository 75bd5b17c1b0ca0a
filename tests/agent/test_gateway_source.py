"""The socket that nginx writes to, and the file of the certificate."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from agent.gateway_books import Books
from agent.sources import gateway
from agent.sources.gateway import GatewaySource
from tests.agent.node import Node
from tests.agent.test_certificate import WHOLE
from tests.agent.test_gateway_books import datagram

pytestmark = pytest.mark.anyio


def source(directory: Path) -> GatewaySource:
    books = Books(CollectorRegistry(), ("main",))
    return GatewaySource(directory / "gateway.sock", directory / "tls.crt", books)


def client(directory: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.connect(str(directory / "gateway.sock"))
    return made


async def requests(of: GatewaySource, wanted: int) -> int:
    for _ in range(100):
        if (await of.read()).requests >= wanted:
            break
        await asyncio.sleep(0.02)
    return (await of.read()).requests


async def test_what_is_sent_is_counted(tmp_path: Path) -> None:
    (tmp_path / "gateway.sock").touch()  # left over from another process
    made = source(tmp_path)
    assert (await made.read()).deaf
    made.start()
    assert stat.S_IMODE((tmp_path / "gateway.sock").stat().st_mode) == gateway.WRITABLE
    with client(tmp_path) as sender:
        sender.send(datagram())
        sender.send(b"rubbish")
        sender.send(datagram(done="no"))
        assert await requests(made, 2) == 2
        found = await made.read()
        assert (found.deaf, found.recent["main"].broken) == ("", 1)
        made.close()
        with pytest.raises(ConnectionRefusedError):
            sender.send(datagram())
    assert not (tmp_path / "gateway.sock").exists()


async def test_a_flood_is_taken_in_handfuls_and_holds_nobody_up(tmp_path: Path) -> None:
    made = source(tmp_path)
    made.start()
    sent = 0
    with client(tmp_path) as sender:
        for _ in range(20):
            try:
                while True:
                    sender.send(datagram())
                    sent += 1
            except BlockingIOError:
                before = (await made.read()).requests
                await asyncio.sleep(0.01)
                taken = (await made.read()).requests - before
                assert taken <= gateway.AT_ONCE
        assert await requests(made, sent) == sent
    made.close()


async def test_where_it_cannot_listen_it_says_so(tmp_path: Path) -> None:
    made = source(tmp_path / "none")
    made.start()
    assert "No such file" in (await made.read()).deaf
    made.close()


async def test_the_certificate_is_read_when_it_changes(tmp_path: Path) -> None:
    made, path = source(tmp_path), tmp_path / "tls.crt"
    assert "No such file" in (await made.read()).problem
    path.write_bytes(b"nonsense")
    assert "holds no certificate" in (await made.read()).problem
    path.write_bytes(WHOLE)
    found = (await made.read()).certificate
    assert found is not None
    assert found.lifetime == pytest.approx(9 * 86400)
    path.unlink()
    assert (await made.read()).certificate is None


async def test_it_is_shown_in_the_snapshot(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.loop.begin()
    await node.tick()
    assert node.shown.gateway.certificate_expires == 4e9
