"""What the control port may do to an engine, whichever dialect it speaks."""

import signal
from typing import Any, Protocol


class Engine(Protocol):
    """The running engine: a router process and some shard processes."""

    def state(self) -> dict[str, Any]:
        """Phase, process ids and faults in force, for ``GET /state``."""
        ...

    def signal_router(self, number: signal.Signals) -> None:
        """Send a signal to the router process; LookupError when there is none yet."""
        ...

    def signal_shard(self, rank: int, number: signal.Signals) -> None:
        """Send a signal to a shard process; LookupError when there is none of that rank."""
        ...

    def shard_ranks(self) -> list[int]:
        """The ranks of the shards that were started."""
        ...

    def end(self, code: int) -> None:
        """Make the whole engine end at once with this exit code."""
        ...
