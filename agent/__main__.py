"""The process: reads the spec, wires the edges together, and turns until SIGTERM.

Stopping the agent touches neither engines nor gates: traffic goes on without us.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
from aiohttp import web

import agent
from agent import agentcheck, api, balancer, control
from agent.errors import GARBLED
from agent.paths import Paths
from agent.sdnotify import notify
from agent.snapshot import Published
from agent.spec import HostSpec, load
from agent.wiring import Wiring

log = logging.getLogger("stoker")

UNIT_FILE = Path("/etc/systemd/system/stoker-agent.service")
VENV_STAMP = Path("/opt/stoker/venv/stamp")


def main() -> int:
    """Run the agent; exit code 0 after SIGTERM, 1 when the spec cannot be read."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    paths = Paths()
    try:
        spec = load(paths.spec.read_bytes())
    except (OSError, *GARBLED) as error:
        log.error("%s: %s; deploy this host again", paths.spec, error)
        return 1
    asyncio.run(serve(spec, paths))
    return 0


async def serve(spec: HostSpec, paths: Paths) -> None:
    """Serve until SIGTERM or SIGINT."""
    async with aiohttp.ClientSession(trust_env=False) as http:
        wiring = Wiring(spec, paths, http)
        loop, reads, engines = wiring.loop, wiring.reads, frozenset(spec.engines)
        async with (
            wiring.live(),
            _listening(api.application(reads), spec, None),
            _listening(control.application(reads, loop, engines), spec, paths.socket),
            _balancer(wiring.published, spec),
        ):
            _tell_what_runs(paths)
            notify("STATUS=looking for the first time")
            turning = asyncio.create_task(loop.run(_alive))
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, turning.cancel)
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, turning.cancel)
            with contextlib.suppress(asyncio.CancelledError):
                await turning
            notify("STOPPING=1")


@contextlib.asynccontextmanager
async def _balancer(published: Published, spec: HostSpec) -> AsyncIterator[None]:
    most = {name: engine.max_concurrent_requests for name, engine in spec.engines.items()}

    def answer(asked: str | None) -> str:
        return balancer.told(published.latest, asked, most)

    server = await agentcheck.serve(spec.agent.listen, spec.agent.check_port, answer)
    try:
        yield
    finally:
        server.close()


@contextlib.asynccontextmanager
async def _listening(
    app: web.Application, spec: HostSpec, socket: Path | None
) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    if socket is None:
        site = web.TCPSite(runner, spec.agent.listen, spec.agent.port)
        await site.start()
    else:
        await _open(socket, runner)
    try:
        yield
    finally:
        await runner.cleanup()


async def _open(path: Path, runner: web.AppRunner) -> None:
    """Listen on a fresh socket that only root and the group may use."""
    before = os.umask(0o117)
    try:
        await web.UnixSite(runner, str(path)).start()
    finally:
        os.umask(before)


def _alive(status: str) -> None:
    """Ready means that the first tick has ended: from then on `stokerctl` gets an answer."""
    notify("READY=1", "WATCHDOG=1", f"STATUS={status}")


def _tell_what_runs(paths: Paths) -> None:
    """Leave a digest of what this process was started with, for the deploy to compare."""
    mixed = hashlib.sha256()
    for path in (paths.spec, UNIT_FILE, VENV_STAMP):
        mixed.update(path.read_bytes() if path.exists() else b"")
    new = paths.run / "agent.json.new"
    new.write_bytes(
        msgspec.json.encode({"digest": mixed.hexdigest(), "version": agent.__version__})
    )
    new.replace(paths.run / "agent.json")


if __name__ == "__main__":
    sys.exit(main())
