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
from agent import api, control
from agent.audit import Audit
from agent.converge import Converger, FileGates
from agent.engines import ENGINES
from agent.errors import SourceError
from agent.loop import Loop
from agent.paths import Paths
from agent.sdnotify import notify
from agent.snapshot import Published
from agent.sources import Sources
from agent.sources.engine import EngineSource
from agent.sources.nvml import NoGpus, NvmlSource
from agent.sources.pci import PciSource
from agent.sources.units import Systemd
from agent.spec import HostSpec, load
from agent.store import Store, boot_identity

log = logging.getLogger("stoker")

UNIT_FILE = Path("/etc/systemd/system/stoker-agent.service")
VENV_STAMP = Path("/opt/stoker/venv/stamp")


def main() -> int:
    """Run the agent; exit code 0 after SIGTERM, 1 when the spec cannot be read."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    paths = Paths()
    try:
        spec = load(paths.spec.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        log.error("%s: %s; deploy this host again", paths.spec, error)
        return 1
    asyncio.run(serve(spec, paths))
    return 0


async def serve(spec: HostSpec, paths: Paths) -> None:
    """Serve until SIGTERM or SIGINT."""
    published = Published()
    nvml = NvmlSource() if spec.driver.gpu_count else None
    async with aiohttp.ClientSession(trust_env=False) as http:
        loop = _loop(spec, paths, published, nvml, http)
        loop.begin()
        engines = frozenset(spec.engines)
        async with (
            _listening(api.application(published, spec.agent.tick), spec, None),
            _listening(
                control.application(published, spec.agent.tick, loop, engines), spec, paths.socket
            ),
        ):
            _tell_what_runs(paths)
            notify("STATUS=looking for the first time")
            turning = asyncio.create_task(loop.run(_alive))
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, turning.cancel)
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, turning.cancel)
            with contextlib.suppress(asyncio.CancelledError):
                await turning
            notify("STOPPING=1")
    if nvml:
        with contextlib.suppress(SourceError):
            await nvml.close()


def _loop(
    spec: HostSpec,
    paths: Paths,
    published: Published,
    nvml: NvmlSource | None,
    http: aiohttp.ClientSession,
) -> Loop:
    units = Systemd()
    engines = {
        name: EngineSource(name, engine, ENGINES[engine.kind], units, paths, http)
        for name, engine in spec.engines.items()
    }
    longest = max(ENGINES[e.kind].stop_deadline(e) for e in spec.engines.values())
    return Loop(
        spec=spec,
        spec_digest=hashlib.sha256(spec.dump()).hexdigest()[:16],
        version=agent.__version__,
        boot=boot_identity(),
        sources=Sources(engines, nvml or NoGpus(), PciSource()),
        store=Store(paths.state / "agent" / "state.json"),
        converger=Converger(units, FileGates(paths), act_deadline=longest + 60.0),
        published=published,
        audit=Audit(paths.state / "audit.jsonl"),
    )


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
