"""The API server's side of its ranks: started as children, connected to, ended with it."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..process import Child
from ..shard_client import ShardClient, ShardError, Shards
from . import tree
from .tree import Tree
from .waiting import until

_RETRY = 0.02  # seconds


class RankFailedError(Exception):
    """A rank ended before it was ready."""


class Ranks(Shards):
    """All ranks of the model, with an optional deadline on each call."""

    def __init__(
        self, commands: Sequence[Sequence[str]], run_dir: Path, on_line: Callable[[str], None]
    ) -> None:
        """Start one process a command; each is given its rank and its socket's path."""
        super().__init__([])
        self._run_dir, self._on_line = run_dir, on_line
        self._frozen = False
        self._children = [
            Child([*command, str(rank), self._path(rank)], os.environ, on_line)
            for rank, command in enumerate(commands)
        ]
        self.deadline: float | None = None
        self.on_deadline: Callable[[str], None] = lambda _method: None
        self.say("loading")

    def say(self, phase: str) -> None:
        """Publish the phase and the processes."""
        tree.publish(self._run_dir, Tree(phase, tuple(child.pid for child in self._children)))

    async def connect(self) -> None:
        """Wait until every rank serves; RankFailedError when one ends. No time limit."""
        for rank in range(len(self._children)):
            await until(partial(self._serves, rank))
        self._clients = [await self._client(rank) for rank in range(len(self._children))]

    async def _client(self, rank: int) -> ShardClient:
        while True:
            try:
                return await ShardClient.connect(self._path(rank))
            except ConnectionRefusedError:  # its socket is bound, and does not listen yet
                await asyncio.sleep(_RETRY)

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call every rank; ShardError when one is gone, or late where there is a deadline."""
        try:
            return await asyncio.wait_for(super().call(method, **arguments), self.deadline)
        except ShardError:
            if self._frozen:
                await asyncio.Event().wait()
            raise
        except TimeoutError as error:
            self.on_deadline(method)
            raise ShardError(f"{method} timed out") from error

    def codes(self) -> Mapping[int, int]:
        """Exit codes by pid, of the ranks that have ended; minus the signal's number."""
        codes = ((child.pid, child.exit_code()) for child in self._children)
        return {pid: code for pid, code in codes if code is not None}

    def freeze(self) -> None:
        """Kill them unnoticed: what is in flight is never answered, and nothing fails."""
        self._frozen = True
        for child in self._children:
            child.send(signal.SIGKILL)

    def end(self) -> None:
        """Kill them all, and pass on their last words."""
        for child in self._children:
            child.send(signal.SIGKILL)
        deadline = time.monotonic() + 1
        while len(self.codes()) < len(self._children) and time.monotonic() < deadline:
            time.sleep(0.01)
        for child in self._children:
            child.finish_output()

    def _serves(self, rank: int) -> bool:
        if self.codes():
            for child in self._children:
                if child.exit_code() is not None:
                    child.finish_output()
                    for line in child.stderr().splitlines():
                        self._on_line(line)
            raise RankFailedError
        return Path(self._path(rank)).exists()

    def _path(self, rank: int) -> str:
        return str(self._run_dir / f"rank-{rank}")
