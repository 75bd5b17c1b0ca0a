"""What a stage may do to traffic. Each file of `fleet/stages/` declares its own."""

from enum import StrEnum


class Disruption(StrEnum):
    """NONE: traffic goes on. RESTART: engines are drained and started again. REBOOT: the host."""

    NONE = "none"
    RESTART = "restart"
    REBOOT = "reboot"


def worst(*among: Disruption) -> Disruption:
    """Return the gravest; NONE of nothing."""
    return max(among, key=list(Disruption).index, default=Disruption.NONE)
