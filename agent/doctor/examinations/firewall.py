"""Is the firewall loaded that the spec wants?"""

from collections.abc import Iterator

import msgspec

from agent.doctor.finding import Finding, fault
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.spec import HostSpec

FILE = "/etc/stoker/firewall.nft"
FIX = "systemctl restart stoker-firewall; nft list table inet stoker shows it"


class Walls(msgspec.Struct, frozen=True, kw_only=True):
    """`shut`: the table is loaded, and drops what it does not know."""

    loaded: bool
    shut: bool = False


class Firewall:
    """See the module."""

    name = "firewall"

    def read(self, seen: Seen, spec: HostSpec | None) -> Walls | None:
        """Ask nft for the table."""
        if spec is None or not spec.firewall.enabled or seen.node.text(FILE) is None:
            return None
        ran = seen.node.run("nft", "list", "table", "inet", "stoker")
        if ran is None:
            return Walls(loaded=False)
        if ran.code and "No such file" not in ran.err:
            raise SourceError(f"nft does not tell its rules: {ran.err.strip()[:200]}")
        return Walls(loaded=not ran.code, shut="hook input" in ran.out and "policy drop" in ran.out)

    def judge(
        self, reading: Walls | None, _spec: HostSpec | None, _now: float
    ) -> Iterator[Finding]:
        """A host on which no firewall was deployed is left alone."""
        if reading is None:
            return
        if not reading.loaded:
            yield fault("the firewall is not loaded (nftables table inet stoker)", FIX)
        elif not reading.shut:
            yield fault("the firewall lets everything in: its input does not drop", FIX)
