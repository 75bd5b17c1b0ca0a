"""Which hosts may change at the same time. Pure."""

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet

from agent.spec import HostSpec, RolloutSpec


def at_once(wish: RolloutSpec, hosts: int) -> int:
    """Return how many of so many hosts of one model may be out at the same time."""
    return hosts if wish.strategy == "swap" else wish.batch


def faults(specs: Mapping[str, HostSpec]) -> Iterator[str]:
    """Yield a sentence for each host of an inventory that is to roll where there is nobody else."""
    for name, spec in specs.items():
        others = {
            engine.model
            for other, its in specs.items()
            if other != name
            for engine in its.engines.values()
        }
        for engine in spec.engines.values():
            if spec.rollout.strategy == "rolling" and engine.model not in others:
                yield (
                    f"{name}: rollout_strategy = 'rolling': no other host of the inventory serves "
                    f"{engine.model}; with None it is drained and swapped, or give it a second host"
                )


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
