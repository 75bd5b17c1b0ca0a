"""Was this host deployed, and to the end?"""

from collections.abc import Iterator

import msgspec

from agent.doctor.finding import Finding, warning
from agent.doctor.seen import Seen
from agent.spec import HostSpec


class DeployedReading(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the last deploy came to its end: then it left its manifest."""

    manifest: bool


class Deployed:
    """See the module."""

    name = "deployed"

    def read(self, seen: Seen, _spec: HostSpec | None) -> DeployedReading:
        """Look for what the last stage writes."""
        return DeployedReading(manifest=seen.manifest() is not None)

    def judge(
        self,
        reading: DeployedReading,
        spec: HostSpec | None,
        _now: float,
    ) -> Iterator[Finding]:
        """Without a spec nobody knows what this host should be; much is examined all the same."""
        if spec is None:
            yield warning(
                "there is no spec (/etc/stoker/host.json): what this host should be is not known",
                "pyinfra inventory/NAME.py deploy.py -y --limit HOST",
            )
        elif not reading.manifest:
            yield warning(
                "no deploy of this host came to its end",
                "pyinfra inventory/NAME.py deploy.py -y --limit HOST; it says what stopped it",
            )
