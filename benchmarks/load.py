"""Load on an engine: streams that end and begin again, counted by how they ended."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from tests.sandbox.gateway import Gateway

REST = 0.1  # seconds after a refusal


@contextmanager
def streams(gateway: tuple[object, ...], count: int, tokens: int = 300) -> Iterator[Counter[str]]:
    """Keep `count` streams of so many tokens under way, from a process of its own.

    `gateway`: what a `Gateway` is made of. When the block has ended, the counter holds how many
    streams were `finished`, `broken` (begun, but without an end) and `refused`.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_work, args=(gateway, count, tokens, theirs), daemon=True)
    process.start()
    counted: Counter[str] = Counter()
    ours.recv()
    try:
        yield counted
    finally:
        ours.send("end")
        if ours.poll(30.0):
            counted.update(ours.recv())
        process.kill()
        process.join()


def _work(made_of: tuple[object, ...], count: int, tokens: int, pipe: Connection) -> None:
    counted: Counter[str] = Counter()
    ending = threading.Event()
    gateway = Gateway(*made_of)  # type: ignore[arg-type]
    threads = [
        threading.Thread(target=_stream, args=(gateway, tokens, counted, ending), daemon=True)
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    pipe.send("begun")
    pipe.recv()
    ending.set()
    deadline = time.monotonic() + 20.0  # what is under way may end well
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    pipe.send(counted)


def _stream(gateway: Gateway, tokens: int, counted: Counter[str], ending: threading.Event) -> None:
    while not ending.is_set():
        try:
            stream = gateway.stream("Tell me a story.", max_tokens=tokens)
            if stream.status != 200:
                counted["refused"] += 1
                time.sleep(REST)
                continue
            stream.text()
            counted["finished" if stream.finished and not stream.error else "broken"] += 1
        except OSError:
            counted["broken"] += 1
            time.sleep(REST)
