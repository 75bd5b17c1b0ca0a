"""A node that answers as the test says, without a network."""

import asyncio

import msgspec

from agent.page.document import page
from agent.snapshot import Snapshot


class FakeNodes:
    """`fetch` of many nodes by the beginning of their URL."""

    def __init__(self) -> None:
        self.shows: dict[str, Snapshot] = {}
        self.hangs: set[str] = set()
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []

    async def asked_of(self, url: str, times: int) -> None:
        """Wait until somebody has asked so often."""
        for _ in range(500):
            if self.asked.count(url) >= times:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{url} was asked {self.asked.count(url)} times")

    async def fetch(self, url: str) -> tuple[int, bytes]:
        self.asked.append(url)
        base, _, path = url.partition("/v1/")
        if base in self.hangs:
            await asyncio.sleep(3600)
        if url in self.answers:
            return self.answers[url]
        if base not in self.shows:
            raise ConnectionRefusedError(f"{base.removeprefix('http://')}: Connection refused")
        shown = self.shows[base]
        body = page(shown, shown.at + 1, 10.0) if path == "page" else shown
        return 200, msgspec.json.encode(body)
