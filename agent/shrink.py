"""On how many GPUs can an engine serve, when not all that it wants are well? Pure but for `read`.

A tensor-parallel degree is valid when it divides the attention heads, and one of it and the
key-value heads divides the other (vLLM and SGLang assert both). The weights are split by it.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.model import Condition, Remedy, Value

ROOM = 0.8  # share of a GPU's memory that the weights may take: the rest is KV cache and activation


class Shape(Value, frozen=True, kw_only=True):
    """What matters of a model. `weights` in bytes."""

    heads: int
    kv_heads: int
    weights: int


def read(directory: Path) -> Shape | None:
    """Read the shape off a directory of weights; None when it does not tell."""
    try:
        config = json.loads((directory / "config.json").read_text())
        config = config.get("text_config", config)
        heads = int(config["num_attention_heads"])
        kv_heads = int(config.get("num_key_value_heads") or heads)
        weights = sum(file.stat().st_size for file in directory.glob("*.safetensors"))
        return Shape(heads=heads, kv_heads=kv_heads, weights=weights) if weights else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def width(
    shape: Shape | None, wanted: int, available: int, memory: int | None, *, shrink: bool
) -> int:
    """Return on how many GPUs of `memory` bytes the engine can serve; 0 = on none.

    With enough GPUs that is as many as it wants, whatever `shrink` says.
    """
    if available >= wanted:
        return wanted
    if not shrink or shape is None or memory is None:
        return 0
    fits: Callable[[int], bool] = lambda n: shape.weights <= n * memory * ROOM  # noqa: E731
    return next((n for n in range(available, 0, -1) if _valid(shape, n) and fits(n)), 0)


def elsewhere(worst: Condition | None, gpus: int, wanted: int) -> Condition | None:
    """Return a GPU's fault as the engine is to see it that can serve on `gpus` others.

    What is not judged yet, and what is not a GPU's, stays as it is.
    """
    of_gpu = worst is not None and worst.subject.startswith("gpu:")
    if worst is None or not of_gpu or worst.remedy <= Remedy.RESTART or not gpus:
        return worst
    where = f"restarted on {gpus} of {wanted} GPUs, without it"
    return Condition(
        check=worst.check,
        subject=worst.subject,
        status=worst.status,
        reason=worst.reason,
        message=f"{worst.message}; {where}",
        remedy=Remedy.RESTART,
        since=worst.since,
        fatal=worst.fatal,
        evidence=worst.evidence,
    )


def out_of_service(conditions: Sequence[Condition]) -> frozenset[str]:
    """Return the GPUs (UUIDs) that no engine is to be started on."""
    return frozenset(
        one.subject.removeprefix("gpu:")
        for one in conditions
        if one.subject.startswith("gpu:") and one.remedy not in {Remedy.NONE, Remedy.RESTART}
    )


def _valid(shape: Shape, degree: int) -> bool:
    divides = degree % shape.kv_heads == 0 or shape.kv_heads % degree == 0
    return shape.heads % degree == 0 and divides
