"""What an examination is. It is made anew for each run, and keeps nothing."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from agent.doctor.finding import Finding
from agent.doctor.seen import Seen
from agent.spec import HostSpec

R = TypeVar("R")


class Examination(Protocol[R]):
    """`spec` is None on a node that was never deployed, or not to the end."""

    @property
    def name(self) -> str:
        """Lower-case words joined by `_`; unique."""

    def read(self, seen: Seen, spec: HostSpec | None, /) -> R:
        """Look; raise `StokerError` when that cannot be done."""

    def judge(self, reading: R, spec: HostSpec | None, now: float, /) -> Iterable[Finding]:
        """Say what is wrong. Pure: no I/O, no clock."""
