"""Replays lines of a kernel log through the very rules the agent lives by, without an agent.

What is not in a log is as the setting says: by default no process is known, and no probe runs.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from agent.model import Remedy, Status, Value
from agent.xid import ledger as book
from agent.xid import line as text
from agent.xid.context import Context, Product
from agent.xid.fault import KernelFault, Kind
from agent.xid.ledger import Ledger
from agent.xid.verdict import Verdict, first, judge

_LOADED = re.compile(r"NVRM: loading NVIDIA UNIX .{0,60}?Kernel Module .{0,20}?(\d{3})\.\d")
_BOOTED = b"Linux version "


class Setting(Value, frozen=True, kw_only=True):
    """What the log cannot tell; see `Context`."""

    engine_pids: frozenset[int] | None = None
    probe: bool | None = None
    product: Product = Product()
    branch: int | None = None
    overrides: Mapping[int, Remedy] = {}
    companions: float = book.COMPANIONS


class Act(StrEnum):
    """DRAIN: traffic is stopped at the first sign. REMEDY: the choice. CLEAR: serve again."""

    DRAIN = "drain"
    REMEDY = "remedy"
    NOTE = "note"
    CLEAR = "clear"


class Step(Value, frozen=True, kw_only=True):
    """One thing the agent would have done; `line` counts from 1, `at` is the log's own time."""

    act: Act
    line: int
    at: float
    gpu: str
    xid: int
    text: str = ""
    verdict: Verdict | None = None


def simulate(lines: Iterable[str | bytes], setting: Setting | None = None) -> list[Step]:
    """Return all that the agent would have done over these lines, in order."""
    replay = _Replay(setting or Setting())
    for number, line in enumerate(lines, start=1):
        raw = line.encode("utf-8", "replace") if isinstance(line, str) else line
        if text.worth(raw) or _BOOTED in raw:
            replay.read(number, raw)
    replay.judge_until(float("inf"))
    return replay.steps


class _Replay:
    """Stands in for the agent's loop: time is the log's own."""

    def __init__(self, setting: Setting) -> None:
        self.steps: list[Step] = []
        self._setting, self._branch = setting, setting.branch
        self._now, self._boot, self._held = 0.0, 0, ""
        self._ledger = Ledger(boot="0")
        self._out: frozenset[str] = frozenset()  # GPUs that are drained

    def read(self, number: int, line: bytes) -> None:
        """Take in one line."""
        told = text.record(line)
        if told is None:
            return
        if told.text.startswith("Linux version ") and told.speaker == "kernel":
            self._start_over(number)
        if loaded := _LOADED.match(told.text):
            self._branch = int(loaded[1])
        # Forms without a clock, or with one that is set back, must not turn time around.
        self._now = max(self._now, told.at or 0.0)
        self.judge_until(self._now)
        self._held, whole = text.join(self._held, told.text)
        fault = text.of(msgspec.structs.replace(told, text=whole), str(self._boot))
        if fault is not None:
            self._take(msgspec.structs.replace(fault, at=self._now, seq=number))

    def judge_until(self, now: float) -> None:
        """Judge what has waited for its companions by `now`."""
        for group in book.ripe(self._ledger, now, self._setting.companions):
            faults = book.faults(self._ledger, group)
            then = faults[0].at + self._setting.companions
            found = judge(faults, self._context(then, group))
            self._ledger = book.judged(self._ledger, group, found, self._setting.engine_pids, then)
            if found.remedy > Remedy.NONE:
                self._out |= {found.gpu}
                self.steps.append(_step(Act.REMEDY, faults[0], then, found))
            elif found.status is not Status.OK:
                self.steps.append(_step(Act.NOTE, faults[0], then, found))
            self._clear(faults[-1].seq, then)

    def _take(self, fault: KernelFault) -> None:
        new = fault.kind is not Kind.RESET and fault.gpu not in self._out
        new = new and book.news(self._ledger, fault)
        if new and first(fault, self._context(fault.at)):
            self._out |= {fault.gpu}
            self.steps.append(_step(Act.DRAIN, fault, fault.at))
        self._ledger = book.fold(self._ledger, fault, fault.at, companions=self._setting.companions)
        self._clear(fault.seq, fault.at)

    def _start_over(self, number: int) -> None:
        self.judge_until(float("inf"))
        self._boot += 1
        self._ledger = book.booted(self._ledger, str(self._boot), self._now)
        self._now = 0.0
        self._clear(number, self._now)

    def _clear(self, number: int | None, at: float) -> None:
        """Put back into service every GPU that nothing open keeps out of it."""
        held = book.holding(self._ledger)
        self.steps += [
            Step(act=Act.CLEAR, line=number or 0, at=at, gpu=gpu, xid=0)
            for gpu in sorted(self._out - held)
        ]
        self._out &= held

    def _context(self, now: float, group: str = "") -> Context:
        return Context(
            now=now,
            product=self._setting.product,
            branch=self._branch,
            engine_pids=self._setting.engine_pids,
            probe=self._setting.probe,
            history=book.history(self._ledger, leaving=group),
            overrides=self._setting.overrides,
        )


def _step(act: Act, fault: KernelFault, at: float, verdict: Verdict | None = None) -> Step:
    return Step(
        act=act,
        line=fault.seq or 0,
        at=at,
        gpu=fault.gpu,
        xid=fault.xid,
        text=fault.text,
        verdict=verdict,
    )
