"""The router's side of the shards' sockets: a call goes to every shard."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any


class ShardError(Exception):
    """A shard answered with an error, or is gone."""


class ShardClient:
    """One connection to one shard; calls are answered in their order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._calls = 0
        self.gone = False
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, path: str) -> "ShardClient":
        """Open the shard's socket; OSError when it is not there."""
        return cls(*await asyncio.open_unix_connection(path))

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """One call; no time limit, as in the real router. ShardError for a failure."""
        if self.gone:
            raise ShardError("transport error")
        self._calls += 1
        number = self._calls
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        line = json.dumps({"id": number, "method": method, "arguments": arguments})
        self._writer.write(line.encode() + b"\n")
        answer: dict[str, Any] = await future
        if "error" in answer:
            raise ShardError(f"Server error: {answer['error']}")
        return answer

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                answer = json.loads(line)
                waiting = self._waiting.pop(answer["id"])
                if not waiting.done():
                    waiting.set_result(answer)
        except ConnectionError:
            pass
        self.gone = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ShardError("transport error"))


class Shards:
    """All shards of one model."""

    def __init__(self, clients: Sequence[ShardClient]) -> None:
        self._clients = clients

    @property
    def gone(self) -> bool:
        """Whether any shard has hung up."""
        return any(client.gone for client in self._clients)

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call every shard; the first shard's answer, or the first error."""
        answers = await asyncio.gather(
            *(client.call(method, **arguments) for client in self._clients),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        first = answers[0]
        assert isinstance(first, dict)
        return first

    async def last(self, method: str) -> bool:
        """Call every shard; whether the LAST one answered well (so judges the real /health)."""
        answers = await asyncio.gather(
            *(client.call(method) for client in self._clients), return_exceptions=True
        )
        return not isinstance(answers[-1], BaseException)
