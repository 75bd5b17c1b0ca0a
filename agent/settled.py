"""`python -m agent.settled [--wait SECONDS]`: the agent's status, once it is worth reading.

For the deploy: an agent that has just started has not looked at its engines yet, and with `--wait`
an engine that is starting shall have come up or failed first. Looks only; asks for nothing.
Prints the status as JSON; nothing when the agent does not answer. Exit code 0.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import msgspec

from agent.client import Agent
from agent.errors import StokerError
from agent.model import Phase
from agent.paths import Paths
from agent.snapshot import Snapshot

FIRST_LOOK = 15.0  # seconds that an agent has to start and look
PAUSE = 0.5


def settled(
    look: Callable[[], Snapshot | None],
    wait: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Snapshot | None:
    """Look until all engines are known, and none is starting; or until there is no time left.

    `wait` is in seconds; 0 = do not wait for engines that are starting.
    """
    late = clock() + max(wait, FIRST_LOOK)
    while True:
        snapshot = look()
        if (snapshot is not None and _worth(snapshot, wait)) or clock() >= late:
            return snapshot
        sleep(PAUSE)


def _worth(snapshot: Snapshot, wait: float) -> bool:
    known = all(engine.running is not None for engine in snapshot.engines.values())
    starting = any(e.state.phase is Phase.STARTING for e in snapshot.engines.values())
    return known and not (wait and starting)


def _look() -> Snapshot | None:
    try:
        return Agent(str(Paths().socket)).status()
    except StokerError:
        return None


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the status."""
    parser = argparse.ArgumentParser(prog="agent.settled")
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS")
    snapshot = settled(_look, parser.parse_args(arguments).wait)
    if snapshot is not None:
        print(msgspec.json.encode(snapshot).decode())


if __name__ == "__main__":
    main()
