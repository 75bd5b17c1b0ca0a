"""The page of a node in a real browser, against the agent's real application."""

import re
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from playwright.async_api import Browser, expect

from agent.snapshot import Snapshot
from tests.page import scenes
from tests.page.browser import SCHEMES, WIDTHS, Window, chromium, window
from tests.page.site import Site, site


@pytest.fixture
async def agent() -> AsyncIterator[Site]:
    async with site() as made:
        yield made


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as made:
        yield made


@pytest.fixture
async def view(browser: Browser) -> AsyncIterator[Window]:
    async with window(browser) as made:
        yield made
        assert made.complaints == []


async def says(view: Window, title: str, *more: str) -> None:
    await expect(view.page.locator("h1")).to_have_text(title, timeout=5000)
    for text in more:
        await expect(view.page.locator("main")).to_contain_text(text)


async def test_a_node_in_its_bad_hour_without_a_reload(agent: Site, view: Window) -> None:
    agent.lived(scenes.healthy())
    await view.page.goto(agent.url)
    await says(view, "gpu-1 serves", "Both engines answer; 33 requests in flight.", "Nothing.")
    await expect(view.page.locator("#link")).to_contain_text("Live")
    await view.page.evaluate("window.kept = true")
    agent.show(scenes.draining())
    await says(
        view,
        "gpu-1 serves in part: chat is draining",
        "Engine chat: drained by mia: replace a fan.",
        "it is drained, as soon as no request is in flight (11 now)",
        'sudo stokerctl undrain chat --reason "…"',
    )
    agent.show(scenes.hung())
    await says(
        view,
        "gpu-1 serves in part: chat is starting",
        "The engine is hung: no step for 62 s with 26 pending, and a probe is not answered.",
        "steps 88213, 26 pending, probe unanswered for 10.0 s",
    )
    agent.show(scenes.quarantined())
    await says(
        view,
        "gpu-1 serves in part: chat is quarantined",
        "nothing, until a named person releases it",
        'sudo stokerctl ack i-20261128-1 --reason "…"',
        "GPU has fallen off the bus.",
    )
    await expect(view.page.locator("[role=status]")).to_have_text(
        "gpu-1 serves in part: chat is quarantined"
    )
    await expect(view.page).to_have_title("✕ gpu-1 serves in part: chat is quarantined")
    agent.show(scenes.healthy())
    await says(view, "gpu-1 serves", "Nothing.")
    assert await view.page.evaluate("window.kept") is True


async def test_news_come_by_the_stream_and_not_only_by_asking(agent: Site, view: Window) -> None:
    agent.show(scenes.healthy())
    await view.page.goto(agent.url)
    await says(view, "gpu-1 serves")
    await expect(view.page.locator("#link")).to_contain_text("Live")
    for scene in (scenes.draining, scenes.healthy) * 3:
        shown, begun = scene(), time.monotonic()
        agent.show(shown)
        title = "gpu-1 serves" if scene is scenes.healthy else "gpu-1 serves in part"
        await expect(view.page.locator("h1")).to_contain_text(title, timeout=1500)
        assert time.monotonic() - begun < 1.5


async def test_a_stale_snapshot_is_told_and_a_fresh_one_ends_it(agent: Site, view: Window) -> None:
    agent.show(scenes.healthy(time.time() - 34))
    await view.page.goto(agent.url)
    banner = view.page.locator(".banner")
    await expect(banner).to_contain_text("The agent answers, but its loop does not turn.")
    await expect(banner).to_contain_text(re.compile(r"as of 20\d\d-.* UTC, 3\d s ago"))
    await expect(view.page.locator("#link")).to_contain_text("Stale")
    await expect(view.page.locator("[role=status]")).to_contain_text("does not turn")
    assert await view.axe() == []
    agent.show(scenes.healthy())
    await expect(banner).to_have_count(0, timeout=5000)
    await expect(view.page.locator("#link")).to_contain_text("Live")


async def test_a_lost_agent_is_told_and_found_again(agent: Site, browser: Browser) -> None:
    async with window(browser) as view:
        agent.show(scenes.healthy())
        await view.page.goto(agent.url)
        await says(view, "gpu-1 serves")
        await agent.stop()
        banner = view.page.locator(".banner")
        await expect(banner).to_contain_text("The agent does not answer.", timeout=12_000)
        await expect(view.page.locator("h1")).to_have_text("gpu-1 serves")  # what was known stays
        await expect(view.page).to_have_title("? gpu-1 serves")
        await agent.start()
        agent.show(scenes.draining())
        await says(view, "gpu-1 serves in part: chat is draining")
        await expect(banner).to_have_count(0, timeout=5000)
        await expect(view.page.locator("#link")).to_contain_text("Live", timeout=12_000)
        # That nobody answered is in the console, by the browser itself; nothing else is.
        refused = [one for one in view.complaints if "ERR_CONNECTION_REFUSED" not in one]
        assert [one for one in refused if "ERR_INCOMPLETE" not in one] == []


async def test_before_the_first_tick_the_page_says_so(agent: Site, browser: Browser) -> None:
    async with window(browser) as view:
        await view.page.goto(agent.url)
        banner = view.page.locator(".banner")
        await expect(banner).to_contain_text("Starting: no tick has ended yet")
        agent.show(scenes.healthy())
        await says(view, "gpu-1 serves")
        await expect(banner).to_have_count(0)


async def test_no_text_of_a_node_becomes_markup(agent: Site, view: Window) -> None:
    agent.show(scenes.strange())
    await view.page.goto(agent.url)
    await expect(view.page.locator(".engine .model")).to_have_text(scenes.FORGED)
    await expect(view.page.locator("#lead")).to_contain_text(f"no {scenes.FORGED}")
    await expect(view.page.locator(".timeline")).to_contain_text(scenes.FORGED)
    assert await view.page.locator("img").count() == 0
    assert await view.page.title() != "forged"
    await view.page.wait_for_timeout(2500)  # once more, over what stands
    assert await view.page.locator(".wrong li").count() == 3


async def test_what_engines_and_gpus_show(agent: Site, view: Window) -> None:
    agent.lived(scenes.healthy())
    await view.page.goto(agent.url)
    chat = view.page.get_by_role("article", name="Engine chat")
    for text in ("26", "1,840", "62 %", "0 of late, 3 left", "0 1 2 3", "vllm, port 8080", "3 d"):
        await expect(chat).to_contain_text(text)
    drawn = chat.get_by_role("img", name=re.compile("Queue, last 15 minutes: between 0 and"))
    await expect(drawn).to_have_count(1)
    gpu = view.page.get_by_role("article", name="GPU 1", exact=True)
    for text in ("71.4 of 80 GiB", "63 °C", "521 W", "chat", "0 uncorrected, 3 corrected"):
        await expect(gpu).to_contain_text(text)
    await expect(gpu).to_contain_text("18 of 18 up")
    await expect(view.page.locator(".keeping")).to_contain_text("20261128T020511Z-5b1e9c0f27")


async def test_what_is_not_known_is_a_dash(agent: Site, view: Window) -> None:
    node = scenes.healthy()
    bare = msgspec.structs.replace(
        node,
        engines={
            "chat": msgspec.structs.replace(
                node.engines["chat"],
                requests_running=None,
                tokens_per_second=None,
                kv_use_ratio=None,
            )
        },
        gpus=None,
        gpus_problem="the driver hangs",
    )
    agent.show(bare)
    await view.page.goto(agent.url)
    figures = view.page.locator(".figures .value")
    await expect(figures).to_have_text(["–", "2", "–", "–"])
    await expect(view.page.locator("#gpus ~ .because")).to_contain_text("the driver hangs")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
async def test_axe_finds_nothing_and_nothing_is_cut_off(
    agent: Site, browser: Browser, width: int, scheme: str
) -> None:
    shows: list[Snapshot] = [scenes.healthy(), scenes.draining(), scenes.hung()]
    shows += [scenes.quarantined(), scenes.strange()]
    async with window(browser, width, scheme) as view:
        agent.lived(shows[0])
        await view.page.goto(agent.url)
        for shown in shows:
            agent.show(msgspec.structs.replace(shown, at=time.time()))
            await expect(view.page.locator(".since")).to_contain_text(shown.reason, timeout=5000)
            assert await view.axe() == []
            assert await view.overflow() <= 0
        assert view.complaints == []


async def test_axe_would_find_something(agent: Site, view: Window) -> None:
    """The test above can fail."""
    agent.show(scenes.healthy())
    await view.page.goto(agent.url)
    await says(view, "gpu-1 serves")
    await view.page.evaluate("document.querySelector('h1').style.color = '#ccc'")
    assert any("color-contrast" in one for one in await view.axe())


async def test_the_keyboard_gets_everywhere_and_shows_where_it_is(
    agent: Site, view: Window
) -> None:
    agent.lived(scenes.quarantined())
    await view.page.goto(agent.url)
    await says(view, "gpu-1 serves in part: chat is quarantined")
    seen: list[str] = []
    for _ in range(30):
        await view.page.keyboard.press("Tab")
        told = await view.page.evaluate(
            "(e => [e.tagName, e.textContent.slice(0, 24), getComputedStyle(e).outlineStyle])"
            "(document.activeElement)"
        )
        if told[0] == "BODY":
            break
        assert told[2] != "none", told
        seen.append(f"{told[0]} {told[1]}")
    assert seen[0] == "A Skip to the content"
    assert any(one.startswith("SUMMARY Evidence") for one in seen)
    assert any(one.startswith("SUMMARY Ended") for one in seen)
    assert any(one.startswith("PRE") for one in seen)
    await view.page.keyboard.press("Home")
    exit_ = view.page.locator(".exit")
    await exit_.locator("summary").focus()
    await view.page.keyboard.press("Enter")
    await expect(exit_.locator("pre")).to_be_visible()
    agent.show(scenes.quarantined())  # what the reader opened stays open, and keeps the focus
    await view.page.wait_for_timeout(2500)
    await expect(exit_.locator("pre")).to_be_visible()
    await expect(exit_.locator("summary")).to_be_focused()


async def test_a_page_that_nobody_sees_asks_nothing(agent: Site, view: Window) -> None:
    agent.show(scenes.healthy())
    await view.page.goto(agent.url)
    await expect(view.page.locator("#link")).to_contain_text("Live")
    assert agent.reads.feed.clients == 1
    asked: list[str] = []
    view.page.on("request", lambda request: asked.append(request.url))
    hide = (
        "Object.defineProperty(document, 'visibilityState', {value: %r, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    await view.page.evaluate(hide % "hidden")
    await view.page.wait_for_timeout(300)
    asked.clear()
    await view.page.wait_for_timeout(3000)
    assert (asked, agent.reads.feed.clients) == ([], 0)
    await view.page.evaluate(hide % "visible")
    await expect(view.page.locator("#link")).to_contain_text("Live")
    assert agent.reads.feed.clients == 1
