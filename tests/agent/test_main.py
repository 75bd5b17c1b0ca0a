"""The whole process, wired: its sockets, its readiness, its end; systemd is a stand-in."""

import asyncio
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import anyio.to_thread
import pytest

from agent.__main__ import serve
from agent.client import Agent
from agent.model import Phase, Verb
from agent.paths import Paths
from agent.spec import HostSpec
from tests.agent.systemd_standin import Daemon, StandIn
from tests.ports import free_port

DATA = {
    "engine_image": "x@sha256:" + "a" * 64,
    "engine_model": "a/b",
    "engine_revision": "a" * 40,
    "engine_gpus": 0,
    "driver_gpu_count": 0,
    "agent_tick": 0.1,
}


class Manager:
    """What systemd would hear."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    async def hears(self) -> list[str]:
        said = await asyncio.get_running_loop().sock_recv(self.socket, 4096)
        return said.decode().splitlines()


@pytest.fixture
async def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Manager]:
    daemon, systemd = Daemon(tmp_path), StandIn()
    await daemon.start()
    await systemd.appear(daemon.address)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", daemon.address)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    made = Manager(tmp_path / "notify")
    yield made
    made.socket.close()
    await systemd.vanish()
    await daemon.kill()


async def test_from_start_to_sigterm(tmp_path: Path, manager: Manager) -> None:
    port, check_port = free_port(), free_port()
    ports = {"agent_port": port, "agent_check_port": check_port}
    spec = HostSpec.from_data("gpu-1", {**DATA, **ports})
    paths = Paths(etc=tmp_path / "etc", state=tmp_path / "state", run=tmp_path / "run")
    for directory in (paths.etc, paths.state, paths.run / "gates"):
        directory.mkdir(parents=True)
    serving = asyncio.create_task(serve(spec, paths))

    said = await manager.hears()
    while "READY=1" not in said:
        said = await manager.hears()
    assert "WATCHDOG=1" in said

    # Ready means that both ends answer.
    agent = Agent(str(paths.socket))
    shown = await anyio.to_thread.run_sync(agent.status)
    assert (shown.node, shown.phase) == ("gpu-1", Phase.STARTING)
    assert stat.S_IMODE(paths.socket.stat().st_mode) == 0o660
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{port}/livez") as answer,
    ):
        assert answer.status == 200
    reader, writer = await asyncio.open_connection("127.0.0.1", check_port)
    assert await reader.readline() == b"down drain 100% #Booted\n"
    writer.close()
    asked = await anyio.to_thread.run_sync(agent.ask, Verb.DRAIN, "main", "alice", "fan")
    assert asked.phase is Phase.DRAINING
    assert '"by":"alice"' in (paths.state / "audit.jsonl").read_text()

    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 5.0)
    while "STOPPING=1" not in said:
        said = await manager.hears()
    assert (paths.state / "agent" / "state.json").exists()
