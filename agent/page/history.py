"""The last quarter of an hour in numbers: a bounded memory of what was published. Pure.

None = not known at that time.
"""

from collections.abc import Mapping

import msgspec

from agent.model import Value
from agent.snapshot import EngineView, Snapshot
from agent.sources.gpu import Gpu

STEP = 5.0  # seconds between two samples
KEPT = 900.0  # seconds
MOST = int(KEPT / STEP)  # samples
GPUS = 64  # of one sample; more are not kept

Number = float | None
Numbers = Mapping[str, Number]


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One moment: the numbers of each engine by its name, and of each GPU by its UUID."""

    at: float
    engines: Mapping[str, Numbers]
    gpus: Mapping[str, Numbers]


class History(Value, frozen=True, kw_only=True):
    """What is drawn. `at`: when each sample was taken, seconds since 1970, oldest first.

    Every list is as long as `at`: numbers of an engine (`in_flight`, `waiting`,
    `tokens_per_second`, `kv_use_ratio`) or of a GPU (`utilisation` in per cent, `memory_used` in
    bytes, `temperature` in degrees Celsius, `power` in milliwatts).
    """

    step: float
    span: float
    at: tuple[float, ...]
    engines: dict[str, dict[str, tuple[Number, ...]]]
    gpus: dict[str, dict[str, tuple[Number, ...]]]


def fold(samples: tuple[Sample, ...], shown: Snapshot) -> tuple[Sample, ...]:
    """Add what was published, if it is time for a sample, and forget what is too old.

    When the clock was set back, what was kept is of a time that has not come yet: it is dropped.
    """
    if samples and shown.at < samples[-1].at:
        samples = ()
    if samples and shown.at - samples[-1].at < STEP:
        return samples
    recent = [one for one in samples[1 - MOST :] if one.at > shown.at - KEPT]
    return (*recent, _sample(shown))


def history(samples: tuple[Sample, ...]) -> History:
    """Return the samples column by column."""
    return History(
        step=STEP,
        span=KEPT,
        at=tuple(one.at for one in samples),
        engines=_columns([one.engines for one in samples]),
        gpus=_columns([one.gpus for one in samples]),
    )


def _columns(rows: list[Mapping[str, Numbers]]) -> dict[str, dict[str, tuple[Number, ...]]]:
    """Only of those that the last sample has: what has gone is not drawn."""
    nothing: Numbers = {}
    return {
        name: {key: tuple(row.get(name, nothing).get(key) for row in rows) for key in keys}
        for name, keys in (rows[-1] if rows else {}).items()
    }


def _sample(shown: Snapshot) -> Sample:
    gpus = shown.gpus.gpus if shown.gpus and not shown.gpus_problem else ()
    return Sample(
        shown.at,
        {name: _engine(engine) for name, engine in shown.engines.items()},
        {gpu.uuid: _gpu(gpu) for gpu in gpus[:GPUS] if gpu.uuid},
    )


def _engine(engine: EngineView) -> Numbers:
    return {
        "in_flight": engine.in_flight,
        "waiting": engine.requests_waiting,
        "tokens_per_second": engine.tokens_per_second,
        "kv_use_ratio": engine.kv_use_ratio,
    }


def _gpu(gpu: Gpu) -> Numbers:
    return {
        "utilisation": gpu.utilisation,
        "memory_used": gpu.memory_used,
        "temperature": gpu.temperature,
        "power": gpu.power,
    }
