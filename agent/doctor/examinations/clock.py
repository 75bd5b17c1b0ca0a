"""Is the clock right? Certificates, tokens and the order of logs rest on it."""

import re
from collections.abc import Iterator

import msgspec

from agent.doctor.finding import Finding, fault, note, warning
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.spec import HostSpec

OFF = 0.5  # seconds
FIX = "systemctl restart chrony; chronyc sources -v shows whether a time server answers"


class ClockReading(msgspec.Struct, frozen=True, kw_only=True):
    """`offset`: seconds from the time servers' time, None = chrony does not tell."""

    synchronised: bool
    offset: float | None = None
    container: bool = False


class Clock:
    """See the module."""

    name = "clock"

    def read(self, seen: Seen, _spec: HostSpec | None) -> ClockReading:
        """Ask systemd-timedated for the kernel's word, and chrony for its offset."""
        ran = seen.node.run("timedatectl", "show", "-p", "NTPSynchronized", "--value")
        if ran is None or ran.code:
            raise SourceError("timedatectl does not tell whether the clock is synchronised")
        told = seen.node.run("chronyc", "-n", "tracking")
        found = re.search(r"System time\s*: ([0-9.]+) seconds", told.out) if told else None
        return ClockReading(
            synchronised=ran.out.strip() == "yes",
            offset=float(found[1]) if found else None,
            container=seen.is_container(),
        )

    def judge(
        self, reading: ClockReading, _spec: HostSpec | None, _now: float
    ) -> Iterator[Finding]:
        """A container's clock is its host's."""
        if reading.container:
            if not reading.synchronised:
                yield note("the clock is not synchronised; it is that of the machine below")
        elif reading.offset is not None and reading.offset > OFF:
            yield fault(f"the clock is {reading.offset:.1f} s off", FIX)
        elif not reading.synchronised:
            yield warning("the clock is not synchronised", FIX)
