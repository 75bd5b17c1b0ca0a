"""What all engines tell of their work, in words that no single program owns.

Sources of the names: docs/monitoring.md has the table. What a program does not export is absent,
and never 0. An adapter fills in a `Names`; `work` is read every second, so it is kept small, and
`figures` when somebody asks for our metrics.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agent.engines import exposition
from agent.engines.exposition import Histogram

# queue: from acceptance to the first step; first_token: to the first token; token: mean of a
# request's tokens; inter_token: between two tokens; request: from acceptance to the last token.
Duration = Literal["queue", "first_token", "token", "inter_token", "request"]

# done: answered to the end; aborted: the client went away; rejected: too many are there already.
Outcome = Literal["done", "failed", "aborted", "rejected"]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine does now; None = it does not tell.

    `generated` counts tokens, as soon as the program counts them (TGI: when a request ends).
    """

    kv_use_ratio: float | None = None
    generated: float | None = None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine has counted since its start; None and missing = it does not tell."""

    kv_capacity_tokens: float | None = None
    prompt_tokens: float | None = None
    cached_prompt_tokens: float | None = None
    generated_tokens: float | None = None
    preemptions: float | None = None
    requests: Mapping[Outcome, float] = {}
    seconds: Mapping[Duration, Histogram] = {}


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """A counter whose `label` says how requests ended; without a label all ended as `other`."""

    sample: str
    label: str = ""
    known: Mapping[str, Outcome] = {}
    other: Outcome | None = None


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """How a program calls it; "" = it does not tell."""

    prompt_tokens: str = ""
    cached_prompt_tokens: str = ""
    generated_tokens: str = ""
    preemptions: str = ""
    requests: tuple[Outcomes, ...] = ()
    seconds: Mapping[Duration, str] = {}


def figures(metrics: str, names: Names, capacity: float | None = None) -> Figures:
    """Read what `names` names from an exposition."""
    found = {key: exposition.histogram(metrics, name) for key, name in names.seconds.items()}
    return Figures(
        kv_capacity_tokens=capacity,
        prompt_tokens=_total(metrics, names.prompt_tokens),
        cached_prompt_tokens=_total(metrics, names.cached_prompt_tokens),
        generated_tokens=_total(metrics, names.generated_tokens),
        preemptions=_total(metrics, names.preemptions),
        requests=_requests(metrics, names.requests),
        seconds={key: one for key, one in found.items() if one is not None},
    )


def _total(metrics: str, name: str) -> float | None:
    return exposition.total(metrics, name) if name else None


def _requests(metrics: str, names: tuple[Outcomes, ...]) -> dict[Outcome, float]:
    found: dict[Outcome, float] = {}
    for name in names:
        for one in exposition.series(metrics, name.sample):
            outcome = name.known.get(one.labels.get(name.label, ""), name.other)
            if outcome is not None:
                found[outcome] = found.get(outcome, 0.0) + one.value
    return found
