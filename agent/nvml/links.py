"""NVLink: which links the board has, whether each is up, and its errors."""

from typing import Any

from agent.nvml.fields import Batch
from agent.nvml.look import Look

MOST_LINKS = 36  # nvml.h, NVML_NVLINK_MAX_LINKS
# Counters of a link (the field's scope is the link), NVML_FI_DEV_NVLINK_*. Up to NVLink 4: replays,
# recoveries, CRC errors. NVLink 5: malformed packets, overruns, receive errors, link recoveries.
COUNTERS = (161, 162, 163, 206, 207, 208, 215)


class Links:
    """A board keeps its links: which ones it has, and which counters, is asked once."""

    def __init__(self) -> None:
        self._has: list[int] | None = None
        self._counters: Batch | None = None

    def read(self, gpu: Any, look: Look) -> list[dict[str, Any]]:
        """Return the links that the board has; none on a board without NVLink."""
        asked = range(MOST_LINKS) if self._has is None else self._has
        states = {link: look.ask("nvmlDeviceGetNvLinkState", gpu, link) for link in asked}
        states = {link: state for link, state in states.items() if state is not None}
        if self._has is None:
            self._has = list(states)
            every = [(number, link) for link in states for number in COUNTERS]
            self._counters = Batch(list(Batch(every).read(gpu, look, {})))
        counts = self._counters.read(gpu, look, {}) if self._counters else {}
        return [
            {"number": link, "active": bool(state), "errors": _sum(counts, link)}
            for link, state in states.items()
        ]


def _sum(counts: dict[tuple[int, int], int], link: int) -> int | None:
    own = [value for (_, scope), value in counts.items() if scope == link]
    return sum(own) if own else None
