"""Does the host wait for a reboot?"""

from collections.abc import Iterator

import msgspec

from agent.doctor.finding import Finding, warning
from agent.doctor.seen import Seen
from agent.spec import HostSpec


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What packages ask for a reboot; `gone`: the modules of the running kernel, by its release."""

    wanted: bool = False
    packages: tuple[str, ...] = ()
    gone: str = ""


class PendingReboot:
    """See the module."""

    name = "pending_reboot"

    def read(self, seen: Seen, _spec: HostSpec | None) -> Pending:
        """Look at the notes that packages leave."""
        asked = seen.node.text("/run/reboot-required.pkgs") or ""
        gone = ""
        if not seen.is_container():
            ran = seen.node.run("uname", "-r")
            release = ran.out.strip() if ran else ""
            if release and seen.node.look(f"/lib/modules/{release}") is None:
                gone = release
        return Pending(
            wanted=seen.node.look("/run/reboot-required") is not None,
            packages=tuple(sorted(set(asked.split()))),
            gone=gone,
        )

    def judge(self, reading: Pending, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Say who asks."""
        if reading.wanted:
            who = f", because of {', '.join(reading.packages)}" if reading.packages else ""
            yield warning(
                f"the host waits for a reboot{who}",
                'stokerctl drain --reason "reboot" --wait 600 && systemctl reboot',
            )
        if reading.gone:
            yield warning(
                f"the modules of the running kernel {reading.gone} are gone: none can be loaded",
                'stokerctl drain --reason "reboot" --wait 600 && systemctl reboot',
            )
