"""Several agents and a dashboard that watches them, all on loopback ports."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from aiohttp import web

from agent.snapshot import Snapshot
from fleet.dashboard.server import Dashboard, application, fetcher
from fleet.dashboard.targets import Fleet, Target
from tests.page.site import Site


class FleetSite:
    """`agents` by name; `url` is where the fleet page is."""

    def __init__(self, agents: dict[str, Site], url: str) -> None:
        self.agents, self.url = agents, url

    def show(self, name: str, snapshot: Snapshot) -> None:
        self.agents[name].show(msgspec.structs.replace(snapshot, node=name))


@asynccontextmanager
async def fleet_site(
    shows: Mapping[str, Snapshot], also: tuple[Target, ...] = (), every: float = 0.5
) -> AsyncIterator[FleetSite]:
    """Serve an agent for each, and the dashboard; `also` are nodes that nobody serves."""
    agents: dict[str, Site] = {}
    for name, shown in shows.items():
        agents[name] = Site()
        await agents[name].start()
        agents[name].lived(msgspec.structs.replace(shown, node=name))
    targets = tuple(Target(name=name, url=one.url) for name, one in agents.items())
    fleet = Fleet(inventory="inventory/prod.py", targets=(*targets, *also))
    async with aiohttp.ClientSession() as http:
        dashboard = Dashboard(fleet, fetcher(http))
        runner = web.AppRunner(application(dashboard), shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with dashboard.watching(every):
            yield FleetSite(agents, f"http://127.0.0.1:{runner.addresses[0][1]}/")
        await runner.cleanup()
    for one in agents.values():
        await one.stop()
