"""How one and the same log looks in /dev/kmsg, in dmesg and in the journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

FORMS = ("kmsg", "dmesg", "journal")
START = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Said:
    """One message: when (seconds after the log begins), what, and by whom (None: the kernel)."""

    at: float
    text: str
    program: str | None = None


@dataclass(frozen=True)
class Sample:
    """A trace to be written."""

    name: str
    expect: str
    said: list[Said]
    keys: dict[str, str] = field(default_factory=dict)

    def render(self, form: str) -> str:
        """Return the trace as `agent.xid.truth` reads it."""
        head = [f"#! {self.name}-{form}", f"# expect: {self.expect}"]
        head += [f"# {key}: {value}" for key, value in self.keys.items()]
        lines = [line for n, one in enumerate(self.said) for line in _line(n, one, form)]
        return "\n".join([*head, *lines]) + "\n"


def _line(number: int, said: Said, form: str) -> list[str]:
    who = f"{said.program}[{700 + len(said.program)}]" if said.program else "kernel"
    text = said.text if said.program is None else f"{who}: {said.text}"
    if form == "kmsg":
        escaped = text.replace("\n", "\\x0a")
        priority = 4 if said.program is None else 12  # user.warning: the kernel's is never given
        return [f"{priority},{1000 + number},{(40 + said.at) * 1e6:.0f},-;{escaped}"]
    if form == "dmesg":
        first, *rest = text.split("\n")
        return [f"[{40 + said.at:12.6f}] {first}", *(f"{'':15}{line}" for line in rest)]
    stamp = (START + timedelta(seconds=said.at)).strftime("%b %d %H:%M:%S")
    first, *rest = said.text.split("\n")
    return [f"{stamp} gpu-1 {who}: {first}", *(f"{'':32}{line}" for line in rest)]
