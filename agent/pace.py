"""Does an engine get on with its work? Looks are folded into one value; nothing here waits.

`/health` lies in both directions: vLLM's stays 200 while its engine core hangs in the driver
(vllm-project/vllm#42897), TGI's is slow while a long prompt is read (its shard answers between
forward passes). What cannot lie is work: a counter of steps that grows. So an engine is hung when

    work is pending and no step ends for `stalled` s, or nothing is pending for IDLE_EVERY s,
    and a completion of one token, asked then, is not answered within its deadline,
    and not one step ends meanwhile.

A step, or any answer to the probe, acquits: also an error, and also "full" (TGI 429, vLLM and
SGLang 503), for a probe may be refused by a queue whose engine is well; without a step that
counts for `blind` s only, since an engine that hangs fills its own queue. The idle probe is needed
because gauges freeze with their engine: vLLM tells its load at the end of a step, so one that
froze while idle shows no request however many wait.

What a look does not show is unknown, and convicts nobody: time during which the counters cannot
be read is not time without a step. Then the probe alone must prove a hang, and is given `blind` s,
because it may stand in a queue that nobody sees.

Durations are seconds, summed from look to look. A gap between two looks counts as at most GAP,
and a step back of the clock as nothing: a host that stood still itself accuses no engine.
"""

import math
from enum import StrEnum

import msgspec

IDLE_EVERY = 9.8  # seconds between two probes of an engine that has nothing to do
GAP = 2.5  # seconds


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long (seconds) one engine may be silent.

    `stalled`: without a step while work is pending, before a probe is asked. The rest is for the
    answer to a probe, `probe`: while work is pending; `idle_probe`: while none is; `idle_slow`:
    while none is, but /health has not been quick all the time, which is TGI's way to say that a
    step is under way; `blind`: while the counters cannot be read.
    """

    stalled: float
    probe: float
    idle_probe: float
    idle_slow: float
    blind: float


class Outcome(StrEnum):
    """What came of a probe."""

    ANSWERED = "answered"  # a completion
    FAILED = "failed"  # another answer, for example 500
    FULL = "full"  # "not now": the queue is full
    SILENT = "silent"  # nothing before the request was given up
    BROKEN = "broken"  # the connection ended without an answer

    @property
    def alive(self) -> bool:
        """Whether it shows that somebody is there."""
        return self in {Outcome.ANSWERED, Outcome.FAILED, Outcome.FULL}


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look. `pending`, `progress`: None = could not be read.

    `pending` are other people's requests; `quick`: /health was 200 without delay; `probe` is what
    came of a probe since the last look.
    """

    at: float
    pending: int | None
    progress: float | None
    quick: bool
    probe: Outcome | None = None

    @property
    def seen(self) -> bool:
        """Whether the counters could be read."""
        return self.pending is not None and self.progress is not None


class Kind(StrEnum):
    """What an engine is doing. BLIND = its counters cannot be read."""

    BLIND = "blind"
    IDLE = "idle"
    MOVING = "moving"
    STALLED = "stalled"  # under suspicion: the probe is asked, and not answered yet
    FULL = "full"  # without a step, but it refuses more as full
    HUNG = "hung"


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """All that is remembered from look to look.

    `still`: seconds without a step while work was pending. `quiet`: seconds since the last sign of
    life, counted from the look before it. `asked`: seconds since the probe that is not answered
    yet was due; None = none is due. `clear`: /health has been quick since then.
    """

    kind: Kind = Kind.BLIND
    at: float | None = None
    progress: float | None = None
    still: float = 0.0
    quiet: float = 0.0
    asked: float | None = None
    clear: bool = False

    @property
    def due(self) -> bool:
        """Whether a probe should be under way; one that broke off is asked again."""
        return self.asked is not None


def fold(before: Pace, look: Look, patience: Patience) -> Pace:
    """Return what is known after one more look."""
    gap = 0.0 if before.at is None else min(max(look.at - before.at, 0.0), GAP)
    # Any other value, also a lower one: the counters of a new process begin at nothing.
    moved = look.progress is not None and look.progress != before.progress
    alive = moved or (look.probe is not None and look.probe.alive)
    still = _still(before, look, gap, moved=moved)
    # Counted from the look before a sign of life: it may have come right after that one.
    quiet = gap if alive else before.quiet + gap
    suspect = bool(look.pending) and min(still, quiet) >= patience.stalled
    wanted = suspect or (quiet >= IDLE_EVERY and not (look.seen and look.pending))
    asked = None if alive or (before.asked is None and not wanted) else _asked(before, gap)
    clear = look.quick and (before.clear or before.asked is None)
    limit = _limit(look, patience, suspect=suspect, clear=clear)
    # A hung engine fills its own queue: being full acquits only for as long as steps can take.
    full = before.kind is Kind.FULL or look.probe is Outcome.FULL
    late = (asked is not None and asked >= limit) or (full and still >= patience.blind)
    return Pace(
        kind=_kind(
            before, look, moved=moved, alive=alive, late=late, doubt=suspect and bool(asked)
        ),
        at=look.at,
        progress=before.progress if look.progress is None else look.progress,
        still=still,
        quiet=quiet,
        asked=asked,
        clear=clear,
    )


def _still(before: Pace, look: Look, gap: float, *, moved: bool) -> float:
    if moved or look.pending == 0:
        return 0.0
    return before.still + gap if look.seen else before.still


def _asked(before: Pace, gap: float) -> float:
    return 0.0 if before.asked is None else before.asked + gap


def _limit(look: Look, patience: Patience, *, suspect: bool, clear: bool) -> float:
    """Return how long the probe may be unanswered, as things are now."""
    if not look.seen:
        return patience.blind
    if look.pending:
        return patience.probe if suspect else math.inf
    return patience.idle_probe if clear else patience.idle_slow


def _kind(before: Pace, look: Look, *, moved: bool, alive: bool, late: bool, doubt: bool) -> Kind:
    if late or (before.kind is Kind.HUNG and not alive):
        return Kind.HUNG
    if look.probe is Outcome.FULL and not moved:
        return Kind.FULL
    if before.kind is Kind.FULL and not alive:
        return Kind.FULL
    if not look.seen:
        return Kind.BLIND
    if doubt:  # and not in the look that asks: most probes are answered before the next one
        return Kind.STALLED
    return Kind.MOVING if look.pending else Kind.IDLE
