"""The check that cron runs: when was it last, and what did it leave?"""

from collections.abc import Iterator

import msgspec

from agent.doctor.finding import Finding, warning
from agent.doctor.seen import MANIFEST, Seen
from agent.drift.report import Report
from agent.errors import GARBLED, SourceError
from agent.paths import Paths
from agent.spec import HostSpec

REPORT = str(Paths().drift)
SHOWN = 3
FIX = "stoker-release drift shows all, and puts right what may be put right; a deploy does the rest"


class DriftReading(msgspec.Struct, frozen=True, kw_only=True):
    """When the last deploy ended, in seconds since 1970, and the last check; None = never."""

    deployed: float | None = None
    last: Report | None = None


class Drift:
    """See the module."""

    name = "drift"

    def read(self, seen: Seen, _spec: HostSpec | None) -> DriftReading:
        """Read the last report; the deploy's manifest tells when there should be one."""
        manifest, text = seen.node.look(MANIFEST), seen.node.text(REPORT)
        deployed = manifest.time if manifest else None
        if text is None:
            return DriftReading(deployed=deployed)
        try:
            return DriftReading(deployed=deployed, last=msgspec.json.decode(text, type=Report))
        except GARBLED as error:
            raise SourceError(f"{REPORT}: {error}") from error

    def judge(self, reading: DriftReading, spec: HostSpec | None, now: float) -> Iterator[Finding]:
        """A check may be two periods and its splay late; what a later deploy corrected is past."""
        if spec is None or not spec.drift.enabled or reading.deployed is None:
            return
        late = 2 * spec.drift.every_minutes * 60 + spec.drift.splay + 60
        checked = reading.last.at if reading.last else 0.0
        last = max(checked, reading.deployed)
        if now - last > late:
            yield warning(
                f"the last check for drift was {(now - last) / 3600:.1f} h ago, it is due every "
                f"{spec.drift.every_minutes} min",
                "systemctl status cron; journalctl -t stoker-drift -n 20",
            )
        if reading.last and checked > reading.deployed:
            yield from _told(reading.last)


def _told(last: Report) -> Iterator[Finding]:
    if last.problem:
        yield warning(f"it cannot be told whether the host drifted: {last.problem}", FIX)
    if last.left:
        first = "; ".join(f"{one.stage} | {one.operation}" for one in last.left[:SHOWN])
        more = len(last.left) - SHOWN
        yield warning(
            f"the host is not as it was deployed: {first}"
            + (f"; and {more} more" if more > 0 else ""),
            FIX,
        )
