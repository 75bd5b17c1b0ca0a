"""Draws the pictures of the documentation: `python -m tests.page.screenshots [DIRECTORY]`."""

import asyncio
import sys
from pathlib import Path

from playwright.async_api import Browser, expect

from fleet.dashboard.targets import Target
from tests.page import scenes
from tests.page.browser import SCHEMES, WIDTHS, chromium, window
from tests.page.fleet_site import FleetSite, fleet_site
from tests.sandbox.tools import ensure

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "img"
HEIGHTS = {360: 780, 1280: 800}  # what one sees first; the whole page would be too much to look at
SCENES = {
    "gpu-1": scenes.healthy,
    "gpu-2": scenes.healthy,
    "gpu-3": scenes.draining,
    "gpu-4": scenes.quarantined,
    "gpu-5": scenes.hung,
}
SILENT = (Target(name="gpu-6", url="http://127.0.0.1:1"),)


async def draw(browser: Browser, url: str, name: str, ready: str, directory: Path) -> None:
    """Draw one page at each width and in each colour scheme."""
    for width in WIDTHS:
        for scheme in SCHEMES:
            async with window(browser, width, scheme, HEIGHTS[width]) as view:
                await view.page.goto(url)
                await expect(view.page.locator("h1")).to_contain_text(ready)
                await expect(view.page.locator("#link")).to_contain_text("Live")
                path = directory / f"{name}-{width}-{scheme}.png"
                await view.page.screenshot(path=path)
                print(f"{path}  {path.stat().st_size / 1024:.0f} KiB  {view.complaints or ''}")


async def beat(fleet: FleetSite) -> None:
    """Publish again and again, as agents do."""
    while True:
        for name, scene in SCENES.items():
            fleet.show(name, scene())
        await asyncio.sleep(2)


async def main(directory: Path) -> None:
    """Draw them all."""
    async with chromium() as browser:
        shows = {name: scene() for name, scene in SCENES.items()}
        async with fleet_site(shows, SILENT) as fleet:
            beating = asyncio.create_task(beat(fleet))
            await draw(browser, fleet.url, "fleet", "2 of 6", directory)
            await draw(browser, fleet.agents["gpu-1"].url, "node", "serves", directory)
            await draw(
                browser, fleet.agents["gpu-4"].url, "node-quarantined", "quarantined", directory
            )
            beating.cancel()


if __name__ == "__main__":
    ensure("chromium")
    images = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    images.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(images))
