"""What a shard does for the router: warmup, prefill, decode, health; strictly one at a time."""

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

from ...board import Board
from ...settings import Settings
from .python_log import log

OUT_OF_MEMORY = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU {rank} has a total capacity of 79.11 GiB "
    "of which 1.23 GiB is free. Process 1 has 77.87 GiB memory in use."
)


_TRACE = "Traceback (most recent call last):\n"
CRASHES: dict[str, tuple[str, signal.Signals | None]] = {
    "oom": (f"{_TRACE}torch.OutOfMemoryError: {OUT_OF_MEMORY.format(rank=0)}", None),
    "cuda": (
        f"{_TRACE}RuntimeError: CUDA error: an illegal memory access was encountered",
        None,
    ),
    "nccl": (
        "[rank0]:[E] ProcessGroupNCCL.cpp: [PG ID 0 Rank 0] Watchdog caught collective operation "
        "timeout: WorkNCCL(SeqNum=42, OpType=ALLREDUCE, Timeout(ms)=120000)",
        signal.SIGABRT,
    ),
    "sigbus": ("", signal.SIGBUS),
    "killed": ("", signal.SIGKILL),
}
"""What a dying shard leaves on stderr, and its signal (None: it just ends, with code 0)."""


class _CallError(Exception):
    """A call that the router gets an error for; ``fatal`` ends the shard soon after."""

    def __init__(self, message: str, *, fatal: bool) -> None:
        super().__init__(message)
        self.fatal = fatal


class ShardCalls:
    """Serves one shard's socket; each line is a call, each answer a line."""

    def __init__(self, settings: Settings, board: Board, *, rank: int) -> None:
        self._settings = settings
        self._board = board
        self._rank = rank
        self._struck = 0  # serial of the one-time fault that was carried out
        self._stop = asyncio.Event()

    async def serve(self, path: str) -> None:
        """Answer calls until SIGTERM or a fatal error."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        server = await asyncio.start_unix_server(self._connection, path)
        log(f"Server started at unix://{path}")
        watch = asyncio.create_task(self._watch())
        await self._stop.wait()
        watch.cancel()
        server.close()

    async def _watch(self) -> None:
        while not self._told_to_die():  # noqa: ASYNC110 - the order comes by a file
            await asyncio.sleep(0.05)
        self._die(self._board.read().shard_crash)

    def _told_to_die(self) -> bool:
        faults = self._board.read()
        return bool(faults.shard_crash) and faults.shard_crash_rank == self._rank

    def _die(self, how: str) -> None:
        trace, number = CRASHES[how]
        if trace:
            print(trace, file=sys.stderr, flush=True)
        if number is None:
            log(f"Method=Decode encountered an error.\n{trace}", "ERROR")
            self._stop.set()
        else:
            os.kill(os.getpid(), number)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            call = json.loads(line)
            try:
                answer = self._answer(call["method"], call["arguments"])
            except _CallError as error:
                answer = {"error": str(error)}
                if error.fatal:
                    asyncio.get_running_loop().call_later(0.2, self._stop.set)
            writer.write(json.dumps({"id": call["id"], **answer}).encode() + b"\n")
            await writer.drain()

    def _answer(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        # Blocking on purpose: a real shard runs its forward pass in the event loop, so that
        # health checks wait behind it.
        if method == "warmup":
            return self._warmup(arguments["max_total_tokens"])
        if method in {"prefill", "decode"}:
            return self._forward(method, arguments.get("seconds"))
        return {}

    def _warmup(self, max_total_tokens: int | None) -> dict[str, Any]:
        if self._settings.start == "warmup_oom" and self._rank == 0:
            raise self._out_of_memory("Warmup")
        capacity = self._settings.kv_tokens
        log(f"KV-cache blocks: {capacity}, size: 1")
        log("Cuda Graphs are enabled for sizes [32, 16, 8, 4, 2, 1]")
        return {"kv_tokens": capacity, "fits": (max_total_tokens or 0) <= capacity}

    def _forward(self, method: str, ordered: float | None) -> dict[str, Any]:
        faults = self._board.read()
        if (
            method == "prefill"
            and faults.next_request
            and faults.serial != self._struck
            and self._rank == 0
        ):
            self._struck = faults.serial
            if faults.next_request == "oom":
                raise self._out_of_memory("Prefill")
            raise _CallError("ValueError: simulated failure of one batch", fatal=False)
        seconds = ordered or 1 / (faults.tokens_per_second or self._settings.tokens_per_second)
        time.sleep(seconds)
        return {"forward_seconds": seconds * 0.95, "decode_seconds": seconds * 0.05}

    def _out_of_memory(self, method: str) -> _CallError:
        reason = OUT_OF_MEMORY.format(rank=self._rank)
        trace = f"Traceback (most recent call last):\ntorch.OutOfMemoryError: {reason}"
        log(f"Method={method} encountered an error.\n{trace}", "ERROR")
        print(trace, file=sys.stderr, flush=True)
        return _CallError(reason, fatal=True)
