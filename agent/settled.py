"""`python -m agent.settled [--wait SECONDS]`: the agent's status, once it is worth reading.

For the deploy: an agent that has just started has not looked at its engines yet, and with `--wait`
an engine that is starting shall have come up or failed first. Looks only; asks for nothing.
Prints the status as JSON; nothing when the agent does not answer. Exit code 0.
"""

import argparse
import http.client
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from agent.errors import GARBLED
from agent.model import Phase
from agent.paths import Paths
from agent.unix_http import UnixConnection

FIRST_LOOK = 15.0  # seconds that an agent has to start and look
PAUSE = 0.5
ANSWER = 10.0  # seconds


class _State(msgspec.Struct, frozen=True):
    phase: Phase


class _Engine(msgspec.Struct, frozen=True):
    state: _State
    running: bool | None


class _Status(msgspec.Struct, frozen=True):
    """The little of `agent.snapshot` that is looked at: all of it costs a second of imports."""

    engines: dict[str, _Engine]
    raw: bytes = b""


class _HasPhase(Protocol):
    @property
    def phase(self) -> Phase: ...


class _Shown(Protocol):
    @property
    def state(self) -> _HasPhase: ...
    @property
    def running(self) -> bool | None: ...


class _Shows(Protocol):
    @property
    def engines(self) -> Mapping[str, _Shown]: ...


S = TypeVar("S", bound=_Shows)


def settled(
    look: Callable[[], S | None],
    wait: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> S | None:
    """Look until all engines are known, and none is starting; or until there is no time left.

    `wait` is in seconds; 0 = do not wait for engines that are starting.
    """
    late = clock() + max(wait, FIRST_LOOK)
    while True:
        snapshot = look()
        if (snapshot is not None and _worth(snapshot, wait)) or clock() >= late:
            return snapshot
        sleep(PAUSE)


def _worth(snapshot: _Shows, wait: float) -> bool:
    known = all(engine.running is not None for engine in snapshot.engines.values())
    starting = any(e.state.phase is Phase.STARTING for e in snapshot.engines.values())
    return known and not (wait and starting)


def _look() -> _Status | None:
    connection = UnixConnection(str(Paths().socket), ANSWER)
    try:
        connection.request("GET", "/v1/status")
        raw = connection.getresponse().read()
        status = msgspec.json.decode(raw, type=_Status)
    except (OSError, http.client.HTTPException, *GARBLED):
        return None
    finally:
        connection.close()
    return msgspec.structs.replace(status, raw=raw)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the status."""
    parser = argparse.ArgumentParser(prog="agent.settled")
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS")
    status = settled(_look, parser.parse_args(arguments).wait)
    if status is not None:
        print(status.raw.decode())


if __name__ == "__main__":
    main()
