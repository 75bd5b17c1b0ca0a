"""The lock of this node while a check lasts: nobody else changes it meanwhile, nor is disturbed."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import msgspec

from agent import hostlock
from agent.errors import StokerError
from fleet import holder

BEAT = hostlock.TTL / 4  # seconds


class BusyError(StokerError):
    """Somebody else is at this node: then that is no time to look."""


@contextlib.contextmanager
def alone(path: Path = Path(hostlock.PATH)) -> Iterator[None]:
    """Hold the lock; raise `BusyError` with who has it. That of a dead process here is taken."""
    mine = msgspec.structs.replace(holder.me("check for drift"), by="drift")
    wanted = msgspec.to_builtins(mine)
    found, code = hostlock.act(path, "take", wanted, time.time())
    if code and found is not None and holder.decode(found).ended:
        found, code = hostlock.act(path, "steal", wanted, time.time())
    if code and found is not None:
        raise BusyError(f"not looked: this node {holder.decode(found).sentence(time.time())}")
    beating = gevent.spawn(_beat, path, wanted)
    try:
        yield
    finally:
        beating.kill(block=False)
        hostlock.act(path, "leave", wanted, time.time())


def _beat(path: Path, wanted: dict[str, object]) -> None:
    while True:
        gevent.sleep(BEAT)
        hostlock.act(path, "beat", wanted, time.time())
