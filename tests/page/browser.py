"""Chromium of the distribution, driven by Playwright, and what it must not have met on a page."""

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import axe_playwright_python
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

AXE = (Path(axe_playwright_python.__path__[0]) / "axe.min.js").read_text()
SCHEMES = ("light", "dark")
WIDTHS = (360, 1280)


def program() -> str:
    """Return the path of Chromium."""
    path = shutil.which("chromium")
    if path is None:
        raise RuntimeError("chromium is missing: python -m tests.sandbox.tools chromium")
    return path


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a headless Chromium; as root it cannot have its sandbox."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program(), args=[*arguments, "--disable-gpu", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            await browser.close()


class Window:
    """One page in a window of its own; keeps what the console and the policy complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    async def axe(self) -> list[str]:
        """Return what axe-core finds, a line each."""
        await self.page.evaluate(AXE)
        found = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']} ({one['impact']}): {node['target']} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    async def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return int(
            await self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )


@asynccontextmanager
async def window(
    browser: Browser, width: int = 1280, scheme: str = "light", height: int = 900
) -> AsyncIterator[Window]:
    """Open a window of that size and colour scheme; motion is reduced, as pictures need it."""
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        bypass_csp=False,
        locale="en-GB",
        timezone_id="UTC",
    )
    try:
        yield Window(await context.new_page())
    finally:
        await context.close()


async def texts(page: Page, selector: str) -> Sequence[str]:
    """Return the texts of all elements that the selector means."""
    return await page.locator(selector).all_inner_texts()
