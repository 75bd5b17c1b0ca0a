"""The pages in a real browser, as hosts serve them after a deploy; with the fleet's own faults."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import expect

from tests.e2e.faults import Node
from tests.e2e.world import INVENTORY, REPOSITORY, World
from tests.page.browser import Window, chromium, texts, window
from tests.ports import free_port
from tests.sandbox import tools

SOON = 30_000  # ms: from what befalls the node to what the page says


@pytest.fixture
async def view() -> AsyncIterator[Window]:
    tools.ensure("chromium")
    async with chromium() as browser, window(browser) as made:
        yield made
        assert made.complaints == []


@pytest.fixture
def dashboard(fleet: World) -> Iterator[str]:
    """`stoker dashboard` of the whole fleet; its address."""
    listen = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "fleet.cli", "dashboard", INVENTORY, "--listen", listen]
    environment = {**os.environ, "STOKER_SANDBOX": str(fleet.directory)}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert listen in process.stdout.readline()
        yield f"http://{listen}/"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in {0, -signal.SIGINT, 130}


async def test_the_page_of_a_node_follows_what_befalls_it(node: Node, view: Window) -> None:
    await view.page.goto(f"http://{node.world.address(node.host)}:9750/")
    title = view.page.locator("h1")
    await expect(title).to_have_text(f"{node.host} serves", timeout=SOON)
    await asyncio.to_thread(node.shell, "stokerctl drain main --by tester --reason 'new fans'")
    await expect(title).to_contain_text(re.compile("drained|draining"), timeout=SOON)
    await expect(view.page.locator("body")).to_contain_text("new fans", timeout=SOON)
    await asyncio.to_thread(node.undrain)
    await expect(title).to_have_text(f"{node.host} serves", timeout=4 * SOON)
    await asyncio.to_thread(node.xid, 79, "GPU has fallen off the bus.")
    await expect(title).not_to_have_text(f"{node.host} serves", timeout=SOON)
    await expect(view.page.locator("body")).to_contain_text("Xid 79", timeout=SOON)
    assert await view.axe() == []


async def test_the_dashboard_shows_every_host(dashboard: str, fleet: World, view: Window) -> None:
    await view.page.goto(dashboard)
    hosts = len(fleet.hosts)
    title = view.page.locator("h1")
    await expect(title).to_have_text(f"All {hosts} nodes serve", timeout=2 * SOON)
    assert sorted(await texts(view.page, ".nodes a")) == sorted(fleet.hosts)
