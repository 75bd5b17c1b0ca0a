"""How far off is the planner? Compares it with what engines printed when they started.

`python -m benchmarks.planner_accuracy` reads `tests/planner/logs/*.json` (one record a start-up,
with its source), plans each of them from the model's config.json in `tests/planner/models`, and
prints the errors. A start-up that failed and is called fitting is a wrong "fits"; one that served
and is not called fitting costs only a GPU. The last line is one JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from agent.planner import blueprint, card
from agent.planner.fit import fit
from agent.planner.ledger import Fit
from agent.planner.units import GIB
from agent.planner.wish import Version, Wish

ROOT = Path(__file__).parents[1]
LOGS, MODELS = ROOT / "tests/planner/logs", ROOT / "tests/planner/models"


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One start-up. Sizes in GiB a GPU, as printed; None = not printed. `flags` are of `Wish`."""

    engine: str
    version: str
    model: str
    card: str
    tp: int
    pp: int
    context: int
    fraction: float | None = None
    flags: dict[str, Any] = {}
    quantization_config: dict[str, Any] | None = None
    weights_gib: float | None = None
    kv_gib: float | None = None
    kv_tokens: int | None = None
    started: bool = True
    fitted: bool = False  # the planner's factors were fitted to this one, among others
    derived: str | None = None  # how, where the source gives it in other numbers
    source: str


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A record, the plan for it, and the plan's errors as shares of what was printed."""

    record: Record
    fit: Fit
    weights: float | None
    kv: float | None


def records() -> list[Record]:
    """Read all records, in the order of their files."""
    found: list[Record] = []
    for path in sorted(LOGS.glob("*.json")):
        found += msgspec.json.decode(path.read_bytes(), type=list[Record])
    return found


def compare(record: Record) -> Compared:
    """Plan what `record` started, and say how far off the plan is."""
    config = json.loads((MODELS / f"{record.model}.json").read_text())
    if record.quantization_config:
        config["quantization_config"] = record.quantization_config
    wish = Wish(
        engine=record.engine,
        version=Version.parse(record.version),
        tp=record.tp,
        pp=record.pp,
        context=record.context,
        fraction=record.fraction,
        **record.flags,
    )
    found = fit(blueprint.draw(record.model, config), card.declared(record.card), wish)
    first = found.ledgers[0] if found.ledgers else None
    smallest = min((ledger.kv for ledger in found.ledgers), default=0)
    if record.kv_gib is None:
        kv = _error(found.tokens, record.kv_tokens)
    else:
        kv = _error((first.kv if first and record.pp > 1 else smallest) / GIB, record.kv_gib)
        kv = max(kv or 0.0, _error(found.tokens, record.kv_tokens) or 0.0, key=abs)
    weights = _error(first.weights / GIB if first else 0, record.weights_gib)
    return Compared(record=record, fit=found, weights=weights, kv=kv)


def wrong(compared: Compared) -> bool:
    """Say whether the plan called fitting what did not start, or held no whole request."""
    record = compared.record
    short = record.kv_tokens is not None and record.kv_tokens < record.context
    return compared.fit.fits and (short or not record.started)


def _error(planned: float, printed: float | None) -> float | None:
    return None if not printed else planned / printed - 1


def _spread(errors: Sequence[float | None]) -> tuple[float, float]:
    """Return the median and the 95th percentile of the absolute errors, in percent."""
    sizes = sorted(abs(error) * 100 for error in errors if error is not None)
    if not sizes:
        return 0.0, 0.0
    return statistics.median(sizes), sizes[min(len(sizes) - 1, int(0.95 * len(sizes)))]


def _lines(all_of_them: Sequence[Compared]) -> Iterator[str]:
    yield f"{'start-up':58} {'weights':>9} {'KV':>9}  verdict"
    for one in all_of_them:
        record = one.record
        name = f"{record.engine} {record.version} {record.model} {record.card}"
        name += f" tp{record.tp} pp{record.pp} {''.join(map(str, record.flags.values()))}"
        shown = [
            f"{error:+9.2%}" if error is not None else f"{'-':>9}"
            for error in (one.weights, one.kv)
        ]
        mark = " WRONG" if wrong(one) else ""
        yield f"{name:58.58} {' '.join(shown)}  {one.fit.reason}{mark}"


def main() -> int:
    """Print the table and the summary; 1 when a configuration was called fitting that did not."""
    compared = [compare(record) for record in records()]
    print("\n".join(_lines(compared)))
    weights, kv = _spread([c.weights for c in compared]), _spread([c.kv for c in compared])
    unseen = [c for c in compared if not c.record.fitted]
    apart = _spread([c.weights for c in unseen]), _spread([c.kv for c in unseen])
    summary = {
        "start_ups": len(compared),
        "not_fitted_to": len(unseen),
        "not_fitted_to_weights_median_percent": round(apart[0][0], 2),
        "not_fitted_to_kv_median_percent": round(apart[1][0], 2),
        "weights_median_percent": round(weights[0], 2),
        "weights_p95_percent": round(weights[1], 2),
        "kv_median_percent": round(kv[0], 2),
        "kv_p95_percent": round(kv[1], 2),
        "wrong_fits": sum(map(wrong, compared)),
        "too_careful": sum(not c.fit.fits and c.record.started for c in compared),
    }
    print(json.dumps(summary))
    return 1 if summary["wrong_fits"] else 0


if __name__ == "__main__":
    sys.exit(main())
