"""The tensor-parallel degree for a node, and how many replicas of it the node's GPUs give."""

from collections.abc import Iterator

from msgspec.structs import replace

from agent.model import Value
from agent.planner.card import Card
from agent.planner.checkpoint import Checkpoint
from agent.planner.fit import fit
from agent.planner.ledger import Fit
from agent.planner.wish import Wish


class Choice(Value, frozen=True, kw_only=True):
    """A degree that fits, and the replicas that `gpus` GPUs give. `spare` GPUs stay idle."""

    fit: Fit
    replicas: int
    spare: int


def choose(checkpoint: Checkpoint, card: Card, wish: Wish, gpus: int) -> Choice | None:
    """Return the smallest degree that fits on a node of `gpus` alike GPUs; None when none does.

    The smallest: every rank less is communication less, and what is left over serves as replicas.
    `wish.tp` does not matter, `wish.pp` is kept.
    """
    for found in fits(checkpoint, card, wish, gpus):
        each = found.wish.gpus
        return Choice(fit=found, replicas=gpus // each, spare=gpus % each)
    return None


def widest(checkpoint: Checkpoint, card: Card, wish: Wish, gpus: int) -> Fit | None:
    """Return the largest degree that fits on up to `gpus` GPUs; None when none does.

    For an engine that has lost GPUs: as much of its speed as is left.
    """
    return max(fits(checkpoint, card, wish, gpus), key=lambda one: one.wish.tp, default=None)


def fits(checkpoint: Checkpoint, card: Card, wish: Wish, gpus: int) -> Iterator[Fit]:
    """Yield each degree that fits, the smallest first."""
    for tp in range(1, gpus // wish.pp + 1):
        found = fit(checkpoint, card, replace(wish, tp=tp))
        if found.fits:
            yield found
