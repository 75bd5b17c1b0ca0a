"""The check that cron runs: when was it last, and what did it find?"""

from collections.abc import Iterator

import msgspec

from agent.doctor.finding import Finding, warning
from agent.doctor.seen import MANIFEST, Seen
from agent.drift.compare import Drifted
from agent.errors import SourceError
from agent.paths import Paths
from agent.spec import HostSpec

REPORT = str(Paths().state / "drift.json")
SHOWN = 3
FIX = "/opt/stoker/venv/bin/python -m agent.drift shows all; a deploy corrects it"


class DriftReading(msgspec.Struct, frozen=True, kw_only=True):
    """When the last deploy ended and the last check was, in seconds since 1970; None = never."""

    deployed: float | None = None
    checked: float | None = None
    drifted: tuple[Drifted, ...] = ()


class _Report(msgspec.Struct):
    at: float
    drifted: tuple[Drifted, ...]


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
            report = msgspec.json.decode(text, type=_Report)
        except msgspec.DecodeError as error:
            raise SourceError(f"{REPORT}: {error}") from error
        return DriftReading(deployed=deployed, checked=report.at, drifted=report.drifted)

    def judge(self, reading: DriftReading, spec: HostSpec | None, now: float) -> Iterator[Finding]:
        """A check may be two periods and its splay late; what a later deploy corrected is past."""
        if spec is None or not spec.drift.enabled or reading.deployed is None:
            return
        late = 2 * spec.drift.every_minutes * 60 + spec.drift.splay + 60
        last = max(reading.checked or 0.0, reading.deployed)
        if now - last > late:
            yield warning(
                f"the last check for drift was {(now - last) / 3600:.1f} h ago, it is due every "
                f"{spec.drift.every_minutes} min",
                "systemctl status cron; journalctl -t stoker-drift -n 20",
            )
        if reading.drifted and (reading.checked or 0.0) > reading.deployed:
            first = "; ".join(map(str, reading.drifted[:SHOWN]))
            more = len(reading.drifted) - SHOWN
            yield warning(
                f"the host is not as it was deployed: {first}"
                + (f"; and {more} more" if more > 0 else ""),
                FIX,
            )
