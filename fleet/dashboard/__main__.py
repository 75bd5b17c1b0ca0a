"""`python -m fleet.dashboard HOST PORT`: serves the fleet that stands on standard input."""

import asyncio
import signal
import sys

import aiohttp
import msgspec
from aiohttp import web

from fleet.dashboard.server import Dashboard, application, fetcher
from fleet.dashboard.targets import Fleet


async def serve(fleet: Fleet, host: str, port: int) -> int:
    """Serve until somebody ends it; return the exit code."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    # The pool must have room for all: one that hangs may hold its place for its deadline.
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=4)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        dashboard = Dashboard(fleet, fetcher(http))
        runner = web.AppRunner(application(dashboard, host), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            print(f"stoker: cannot listen on {host}:{port}: {error.strerror}", file=sys.stderr)
            return 1
        shown = f"[{host}]" if ":" in host else host
        port = runner.addresses[0][1]
        print(
            f"{len(fleet.targets)} nodes of {fleet.inventory}: http://{shown}:{port}/", flush=True
        )
        async with dashboard.watching():
            await ended.wait()
        await runner.cleanup()
    return 0


if __name__ == "__main__":
    told = msgspec.json.decode(sys.stdin.buffer.read(), type=Fleet)
    sys.exit(asyncio.run(serve(told, sys.argv[1], int(sys.argv[2]))))
