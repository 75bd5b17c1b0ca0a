"""The phases of an engine and of its copy, looked at again and again while a deploy goes on."""

import json
import threading
from typing import Self

from tests.e2e.world import World

PAUSE = 0.3  # seconds between two looks


class Phases:
    """`seen`: pairs of engine and copy, while the block lasts; "" = it is not there."""

    def __init__(self, world: World, host: str) -> None:
        self.seen: list[tuple[str, str]] = []
        self._world, self._host, self._end = world, host, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._end.wait(PAUSE):
            found = self._look()
            self.seen.append((found.get("main", ""), found.get("main-copy", "")))

    def _look(self) -> dict[str, str]:
        said = self._world.shell(self._host, "stokerctl status --json", check=False)
        engines = json.loads(said)["engines"] if said.startswith("{") else {}
        return {name: str(one["state"]["phase"]) for name, one in engines.items()}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)
