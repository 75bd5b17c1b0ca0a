"""How often the agent is right: precision and recall over the corpus of kernel logs.

Replays every trace of `tests/corpus` offline and compares what would have been done with what is
right by the tables' own columns. Also: how many lines of noise a second one core can look at, how
long the first fatal line takes from bytes to the decision to drain, and two-source merging.
Prints a table; the last line is one JSON object. Ends with 0 when it could measure.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent.xid import ledger as book
from agent.xid import line, truth
from agent.xid.context import Context
from agent.xid.ledger import Ledger
from agent.xid.replay import Act, simulate
from agent.xid.verdict import first

CORPUS = Path(__file__).parents[1] / "tests" / "corpus"
NOISE = b"6,%d,%d,-;docker0: port 1(veth3a1c) entered forwarding state"
FATAL = (
    b"3,%d,98765432,-;NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=x, GPU has fallen off the bus."
)
STORM = b"3,%d,%d,-;NVRM: Xid (PCI:0000:3b:00): 31, pid=17, name=x, Ch 00000007"
LINES, ROUNDS = 200_000, 5_000

Figures = dict[str, float | int]


def main() -> int:
    """Measure, print, and say whether it could be measured."""
    figures: Figures = {}
    for name in ("benign", "fatal", "nvlink5"):
        figures |= _truth(name)
    figures |= _whole() | _noise() | _storm() | _decision()
    for key, value in figures.items():
        print(f"{key:<32}{value:>14,.4f}" if isinstance(value, float) else f"{key:<32}{value:>14,}")
    print(json.dumps(figures))
    return 0


def _truth(name: str) -> Figures:
    found = truth.score(truth.traces(CORPUS / name))
    return {
        f"{name}_traces": found.traces,
        f"{name}_false_drains": len(found.false_drains),
        f"{name}_missed_fatals": len(found.missed),
        f"{name}_wrong_remedies": len(found.wrong_remedy),
    }


def _whole() -> Figures:
    found = truth.score(truth.traces(CORPUS))
    return {"traces": found.traces, "precision": found.precision, "recall": found.recall}


def _noise() -> Figures:
    """Lines of noise a second, with one fatal line at the very end that must be found."""
    lines = [NOISE % (n, n) for n in range(LINES)]
    begun = time.perf_counter()
    steps = simulate([*lines, FATAL % LINES])
    taken = time.perf_counter() - begun
    return {
        "noise_lines_per_second": int(LINES / taken),
        "drains_behind_noise": sum(step.act is Act.DRAIN for step in steps),
    }


def _storm() -> Figures:
    """Microseconds for a line of a storm of one Xid of somebody else's process."""
    ledger = Ledger(boot="b")
    lines = [STORM % (n, n * 100) for n in range(ROUNDS)]
    begun = time.perf_counter()
    for raw in lines:
        fault = line.read(raw, "b")
        assert fault is not None
        if book.news(ledger, fault):
            first(fault, Context(now=fault.at, history=book.history(ledger)))
        ledger = book.fold(ledger, fault, fault.at)
    taken = time.perf_counter() - begun
    return {"storm_us_per_line": taken / ROUNDS * 1e6, "storm_incidents": len(ledger.open)}


def _decision() -> Figures:
    """Milliseconds from the bytes of a fatal line to the decision, with a week of history."""
    ledger = Ledger(boot="b")
    for n in range(book.KEPT_CLOSED):
        fault = line.read(b"3,%d,%d,-;NVRM: Xid (PCI:0000:5e:00): 63, x" % (n, n * 10**7), "b")
        assert fault is not None
        ledger = book.booted(book.fold(ledger, fault, fault.at), "b", fault.at)
    history = book.history(ledger)
    taken = []
    for n in range(ROUNDS):
        raw = FATAL % n
        begun = time.perf_counter()
        fault = line.read(raw, "b")
        assert fault is not None
        assert first(fault, Context(now=fault.at, history=history))
        taken.append((time.perf_counter() - begun) * 1000)
    centiles = statistics.quantiles(taken, n=100)
    return {"decision_ms_p50": centiles[49], "decision_ms_p99": centiles[98]}


if __name__ == "__main__":
    sys.exit(main())
