"""The agent's real application on a loopback port, with snapshots that the test publishes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from agent import api
from agent.snapshot import Published, Snapshot
from tests.page.scenes import past


class Site:
    """One agent: `show` publishes; `url` is where its page is."""

    def __init__(self, port: int = 0) -> None:
        self.published = Published()
        self.reads = api.Reads(self.published, 1.0)
        self.port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def show(self, snapshot: Snapshot) -> None:
        self.published.show(snapshot)

    def lived(self, last: Snapshot) -> None:
        """Publish a quarter of an hour, and then this."""
        for one in past(last):
            self.published.show(msgspec.structs.replace(one, node=last.node))
        self.published.show(last)

    async def start(self) -> None:
        """Listen, on the port of before if there was one."""
        self._runner = web.AppRunner(api.application(self.reads), shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """Serve one agent."""
    made = Site()
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
