"""A rank's process: takes a step when told to, strictly one at a time, until it dies."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..board import Board


@dataclass(frozen=True)
class Death:
    """What a dying rank leaves in the log, and its end: a signal, else exit code 1."""

    text: str = ""
    number: signal.Signals | None = None


class Rank:
    """Serves one rank's socket; each line is a call, each answer a line."""

    def __init__(
        self, board: Board, rank: int, deaths: Mapping[str, Death], say: Callable[[str], None]
    ) -> None:
        """`deaths`: by the class of a shard_crash order; `say` writes an error to the log."""
        self._board, self._rank, self._deaths, self._say = board, rank, deaths, say

    async def serve(self, path: str) -> None:
        """Answer calls; only death ends it."""
        server = await asyncio.start_unix_server(self._connection, path)
        async with server:
            while True:
                faults = self._board.read()
                if faults.shard_crash and faults.shard_crash_rank == self._rank:
                    self._die(faults.shard_crash)
                await asyncio.sleep(0.05)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            call = json.loads(line)
            arguments = call["arguments"]
            if arguments["death"] and self._rank == 0:
                self._die(arguments["death"])
            time.sleep(arguments["seconds"])  # blocks, as a forward pass does  # noqa: ASYNC251
            writer.write(json.dumps({"id": call["id"]}).encode() + b"\n")
            await writer.drain()

    def _die(self, how: str) -> None:
        death = self._deaths[how]
        if death.text:
            self._say(death.text)
        if death.number is not None:
            os.kill(os.getpid(), death.number)
        os._exit(1)
