"""How SGLang ends: it drains without limit when told to stop, and always ends by killing itself.

Both ways go through its kill_process_tree: children first, then SIGKILL to itself. So a clean stop
and a crash look alike: exit code 137 under an init.
"""

import asyncio
import os
import signal
import time
from typing import NoReturn

from ...serving.front import Front
from ...serving.ranks import Ranks
from ...serving.waiting import until
from .health import UNHEALTHY, Health
from .log import Log

_CRASH_PERIOD = 1.0  # seconds between two looks of its watchdog at its children
_DRAIN_PERIOD = 5.0  # seconds between two looks at the order to stop, and at what is in flight
SIGQUIT = "Received sigquit from a child process. It usually means the child failed."


class Ending:
    """Decides when the server is done."""

    def __init__(self, front: Front, ranks: Ranks, health: Health, log: Log) -> None:
        self._front, self._ranks, self._health, self._log = front, ranks, health, log
        self._next_look = time.monotonic() + _DRAIN_PERIOD

    def stop(self) -> None:
        """SIGTERM or SIGINT; a second one changes nothing. New requests are still served."""
        self._log.say("SIGTERM received. Draining requests and shutting down...")
        self._health.draining = True
        self._ranks.say("stopping")

    async def wait(self) -> None:
        """Return when the server is to kill itself."""
        await until(lambda: self._crashed() or self._drained())
        if self._crashed():
            await asyncio.sleep(_CRASH_PERIOD)
            for rank, (pid, code) in enumerate(self._ranks.codes().items()):
                self._log.say(
                    f"Subprocess scheduler_{rank} (pid={pid}) crashed with exit code {code}. "
                    "Triggering SIGQUIT for cleanup..."
                )
            self._log.say(
                "Received sigquit from a child process. It usually means the child failed."
            )

    def _crashed(self) -> bool:
        return self._ranks.gone or self._front.stepper.dead

    def _drained(self) -> bool:
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + _DRAIN_PERIOD
        if not self._health.draining:
            return False
        left = len(self._front.stepper.jobs)
        forced = self._health.status == UNHEALTHY or "SGL_FORCE_SHUTDOWN" in os.environ
        if forced:
            self._log.say("Health check failed or shutdown forced. Force exiting.")
        else:
            self._log.say(f"Gracefully exiting... Remaining number of requests {left}.")
        return forced or left == 0


def kill_tree(ranks: Ranks) -> NoReturn:
    """Children first, then this process."""
    ranks.end()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("survived SIGKILL")
