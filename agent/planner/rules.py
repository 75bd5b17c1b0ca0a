"""What the planner asks of an engine's rules. To add an engine: one file, and a line in `RULES`."""

import math
from collections.abc import Iterator
from typing import Protocol

from agent.model import Value
from agent.planner.card import Card
from agent.planner.checkpoint import Checkpoint
from agent.planner.ledger import Ledger, Refusal
from agent.planner.shape import Model
from agent.planner.units import GIB
from agent.planner.wish import Wish

HOPPER = 90  # compute capability


class Case(Value, frozen=True, kw_only=True):
    """What is weighed: a model on the GPUs of one pipeline stage (its layers)."""

    checkpoint: Checkpoint
    model: Model
    card: Card
    wish: Wish
    stage: range

    @property
    def last(self) -> bool:
        """Whether this stage samples."""
        return self.stage.stop == self.model.layers


class Capacity(Protocol):
    """A function of KV bytes: the tokens the engine prints, and the requests it holds."""

    def __call__(self, room: float) -> tuple[int, float]:
        """Return both for `room` bytes."""


class Rules(Protocol):
    """How one engine program spends the memory of a GPU."""

    def refusals(self, model: Model, card: Card, wish: Wish) -> Iterator[Refusal]:
        """Yield why it would not start at all, first what it would trip over first."""

    def warnings(self, model: Model, card: Card, wish: Wish) -> Iterator[str]:
        """Yield what the operator ought to know of a configuration that starts."""

    def ledger(self, case: Case) -> Ledger:
        """Say what the memory of each GPU of the stage goes to; `kv` is what remains."""

    def capacity(self, case: Case) -> Capacity:
        """Return what the engine makes of KV bytes on that stage."""


def context(card: Card) -> int:
    """Return the bytes of a CUDA context with an engine's kernels, on one GPU.

    Total less free before anything is loaded: H200 0.51 GiB (measured), in start-up logs H100 0.51
    and 0.53, A100 0.41, RTX 3090 0.4, L4 0.23.
    """
    size = 0.53 if card.capability >= HOPPER else 0.42 if card.capability == 80 else 0.35
    return int(size * GIB)


def nccl(card: Card, ranks: int) -> int:
    """Return the bytes of NCCL's communicators, which no engine keeps books of.

    H200, 2 ranks: 1.31 GiB (measured, NCCL 2.28, two groups); in logs H100, 4 ranks: 1.56 GiB, and
    H200, 8 ranks: 2.0 GiB ("Init torch distributed ends. mem usage").
    Only Hopper and later have NVLS buffers; RTX 3090 without NVLink, 4 ranks: 0.2 GiB.
    """
    if ranks == 1:
        return 0
    size = {2: 1.3, 4: 1.6, 8: 2.0}.get(ranks, 1.3 if ranks < 4 else 2.2)
    return int(size * GIB * (0.4 if not card.nvlink else 1.0 if card.capability >= HOPPER else 0.5))


def doubt(*sizes: float) -> int:
    """Return how far off a sum may be whose parts may be off by `sizes` GiB, each on its own."""
    return int(math.hypot(*sizes) * GIB)
