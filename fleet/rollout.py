"""Which hosts may change at the same time. Pure."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet


def batches(
    serves: Mapping[str, AbstractSet[str]], disturbed: Collection[str], size: int = 1
) -> list[list[str]]:
    """Split hosts into batches that change one after the other.

    `serves` maps each host, in inventory order, to the models that it serves; of one model, at most
    `size` hosts are in a batch. Hosts that are not `disturbed` lose no traffic, and go first, all
    at once. Hosts that share a model keep their order.
    """
    calm = [host for host in serves if host not in disturbed]
    found: list[list[str]] = [calm] if calm else []
    before = len(found)
    counts: list[dict[str, int]] = []
    latest: dict[str, int] = {}
    for host, models in ((h, m) for h, m in serves.items() if h in disturbed):
        number = max((latest.get(model, 0) for model in models), default=0)
        while number < len(counts) and any(counts[number].get(m, 0) >= size for m in models):
            number += 1
        if number == len(counts):
            counts.append({})
            found.append([])
        found[before + number].append(host)
        for model in models:
            counts[number][model] = counts[number].get(model, 0) + 1
            latest[model] = number
    return found
