"""Who holds a lock, and whether that one is still alive."""

import getpass
import os
import platform
import secrets
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from agent.hostlock import TTL


class Holder(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`machine` and `pid` say which process; `since` and `expires` are by the clock of the host."""

    by: str
    reason: str
    machine: str = ""
    pid: int = 0
    began: str = ""
    since: float = 0.0
    expires: float = 0.0
    token: str = ""

    def sentence(self, now: float) -> str:
        """Say who has it; `now` by the clock of the host."""
        since = time.strftime("%H:%M:%S", time.gmtime(self.since))
        heard = max(0.0, now - (self.expires - TTL))
        return f"is held by {self.by} since {since} UTC ({self.reason}), heard of {heard:.0f} s ago"

    @property
    def ended(self) -> bool:
        """Tell whether it was a process of this machine that is no more."""
        return self.machine == machine() and _began(self.pid) != self.began


def me(reason: str) -> Holder:
    """Return this very process as a holder, with a fresh token."""
    return Holder(
        by=f"{getpass.getuser()}@{platform.node()}",
        reason=reason,
        machine=machine(),
        pid=os.getpid(),
        began=_began(os.getpid()),
        token=secrets.token_hex(8),
    )


def machine() -> str:
    """Return what tells this boot of this machine from any other."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _began(pid: int) -> str:
    """Return when a process began, in the kernel's ticks; empty when there is none (proc(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def decode(found: dict[str, Any]) -> Holder:
    """Return a holder as a host tells it."""
    known = {key: found[key] for key in Holder.__struct_fields__ if key in found}
    return Holder(**known)
