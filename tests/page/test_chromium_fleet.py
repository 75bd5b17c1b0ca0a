"""The fleet page in a real browser, against real agents and a node where nobody listens."""

import asyncio
import re
import time
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from fleet.dashboard.targets import Target
from tests.page import scenes
from tests.page.browser import SCHEMES, WIDTHS, Window, chromium, texts, window
from tests.page.fleet_site import FleetSite, fleet_site

NOBODY = Target(name="gpu-9", url="http://127.0.0.1:1")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as made:
        yield made


@pytest.fixture
async def fleet() -> AsyncIterator[FleetSite]:
    shows = {"gpu-1": scenes.healthy(), "gpu-2": scenes.quarantined()}
    async with fleet_site(shows, (NOBODY,)) as made:
        yield made


@pytest.fixture
async def view(browser: Browser) -> AsyncIterator[Window]:
    async with window(browser) as made:
        yield made
        assert made.complaints == []


async def test_the_worst_comes_first_and_moves_without_a_reload(
    fleet: FleetSite, view: Window
) -> None:
    await view.page.goto(fleet.url)
    title = view.page.locator("h1")
    await expect(title).to_have_text("1 of 3 nodes serve; 1 cannot be seen now")
    assert await texts(view.page, ".nodes a") == ["gpu-2", "gpu-9", "gpu-1"]
    silent = view.page.locator(".nodes li").nth(1)
    await expect(silent).to_contain_text(
        re.compile(r"Cannot be reached since \d\d:\d\d:\d\d UTC: 127.0.0.1:1: Connection refused")
    )
    first = view.page.locator(".nodes li").first
    for text in ("Quarantined", "GPU 2 has fallen off the bus", "1 open incident", "7/8", "1 left"):
        await expect(first).to_contain_text(text)
    await view.page.get_by_role("link", name="gpu-1").focus()
    fleet.show("gpu-2", scenes.healthy())
    fleet.show("gpu-1", scenes.hung())
    await expect(title).to_have_text("1 of 3 nodes serve; 1 cannot be seen now")
    await expect(view.page.locator(".nodes a")).to_have_text(["gpu-9", "gpu-1", "gpu-2"])
    await expect(view.page.get_by_role("link", name="gpu-1")).to_be_focused()
    await expect(view.page.locator("#link")).to_contain_text("Live")


async def test_the_page_of_a_node_comes_from_the_dashboard_alone(
    fleet: FleetSite, view: Window
) -> None:
    asked: set[str] = set()
    view.page.on("request", lambda request: asked.add(request.url.split("/")[2]))
    await view.page.goto(fleet.url)
    await view.page.get_by_role("link", name="gpu-2").click()
    title = view.page.locator("h1")
    await expect(title).to_have_text("gpu-2 serves in part: chat is quarantined")
    await expect(view.page.locator(".todo")).to_contain_text("On gpu-2:")
    await expect(view.page.get_by_role("img", name=re.compile("Queue"))).not_to_have_count(0)
    fleet.show("gpu-2", scenes.draining())
    await expect(title).to_have_text("gpu-2 serves in part: chat is draining")
    assert await view.axe() == []
    await view.page.get_by_role("link", name="all nodes").click()
    await expect(title).to_contain_text("nodes serve")
    assert asked == {fleet.url.split("/")[2]}


async def test_a_node_that_goes_silent_is_not_called_failed(fleet: FleetSite, view: Window) -> None:
    await view.page.goto(f"{fleet.url}nodes/gpu-1/")
    await expect(view.page.locator("h1")).to_have_text("gpu-1 serves")
    await fleet.agents["gpu-1"].stop()
    banner = view.page.locator(".banner")
    await expect(banner).to_contain_text("gpu-1 cannot be reached since")
    await expect(view.page.locator("h1")).to_have_text("gpu-1 serves")
    await view.page.goto(fleet.url)
    row = view.page.locator(".nodes li", has_text="gpu-1")
    await expect(row).to_contain_text(re.compile(r"It was serving \d+ s ago"))
    await expect(row.locator(".pill.bad")).to_have_count(0)
    await fleet.agents["gpu-1"].start()
    fleet.show("gpu-1", scenes.healthy())
    await expect(row).to_contain_text("Serving", timeout=8000)


async def test_nodes_are_found_by_words(fleet: FleetSite, view: Window) -> None:
    await view.page.goto(fleet.url)
    await expect(view.page.locator(".nodes li")).to_have_count(3)
    await view.page.get_by_label("Only with these words").fill("LLAMA quarantined")
    await expect(view.page.locator(".nodes a")).to_have_text(["gpu-2"])
    await expect(view.page.locator("#shown")).to_have_text("1 of 3 nodes")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
async def test_axe_finds_nothing_and_nothing_is_cut_off(
    fleet: FleetSite, browser: Browser, width: int, scheme: str
) -> None:
    async with window(browser, width, scheme) as view:
        await view.page.goto(fleet.url)
        await expect(view.page.locator(".nodes li")).to_have_count(3)
        await expect(view.page.locator("h1")).to_contain_text("1 of 3")
        assert await view.axe() == []
        assert await view.overflow() <= 0
        assert view.complaints == []


async def test_one_bad_node_slows_nobody(view: Window) -> None:
    """A node that takes the connection and says nothing, beside one that changes."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hanging = Target(name="gpu-8", url=f"http://127.0.0.1:{port}")
    async with fleet_site({"gpu-1": scenes.healthy()}, (hanging,)) as fleet:
        await view.page.goto(fleet.url)
        await expect(view.page.locator(".nodes li")).to_have_count(2)
        for scene, word in ((scenes.draining, "Draining"), (scenes.healthy, "Serving")):
            begun = time.monotonic()
            fleet.show("gpu-1", scene())
            await expect(view.page.locator(".nodes li", has_text="gpu-1")).to_contain_text(word)
            assert time.monotonic() - begun < 3
        await expect(view.page.locator(".nodes li", has_text="gpu-8")).to_contain_text(
            "gave no answer within 4 s", timeout=9000
        )
    server.close()
