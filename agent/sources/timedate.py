"""Whether the clock is synchronised, as systemd-timedated says (org.freedesktop.timedate1(5))."""

import time
from collections.abc import Callable

from dbus_fast import Message

from agent.sources.bus import Bus, Connection
from agent.sources.systemd1 import PROPERTIES

TIMEDATE = "org.freedesktop.timedate1"
DEADLINE = 5.0  # seconds
KEPT = 300.0  # seconds: it is started for each question, and a clock drifts slowly


class Timedate:
    """Satisfies `host.ClockState`."""

    def __init__(
        self, address: str | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._bus = Bus(address, _no_greeting, lambda _: None, DEADLINE)
        self._now = now
        self._known: bool | None = None
        self._due = float("-inf")

    async def synchronised(self) -> bool:
        """See `ClockState`."""
        if self._known is None or self._now() >= self._due:
            asked = Message(
                destination=TIMEDATE,
                path="/org/freedesktop/timedate1",
                interface=PROPERTIES,
                member="Get",
                signature="ss",
                body=[TIMEDATE, "NTPSynchronized"],
            )
            self._known = bool((await self._bus.call(asked, DEADLINE)).body[0].value)
            self._due = self._now() + KEPT
        return self._known

    async def close(self) -> None:
        """Let go of the bus."""
        await self._bus.close()


async def _no_greeting(_: Connection) -> None:
    return
