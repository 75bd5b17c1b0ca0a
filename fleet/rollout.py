"""Which hosts may change at the same time. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet


def batches(serves: Mapping[str, AbstractSet[str]]) -> list[list[str]]:
    """Split hosts into batches: two hosts that serve a model in common are never in one batch.

    `serves` maps each host, in inventory order, to the model names it serves. Hosts that share a
    model keep that order; hosts without a common model share a batch.
    """
    latest: dict[str, int] = {}
    found: list[list[str]] = []
    for host, models in serves.items():
        batch = 1 + max((latest.get(model, -1) for model in models), default=-1)
        if batch == len(found):
            found.append([])
        found[batch].append(host)
        latest.update(dict.fromkeys(models, batch))
    return found
