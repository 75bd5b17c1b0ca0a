"""What the memory of one GPU goes to, and the verdict over all of them. Bytes throughout."""

from collections.abc import Iterator

from agent.model import Value
from agent.planner.wish import Wish


class Ledger(Value, frozen=True, kw_only=True):
    """The memory of a GPU of one pipeline stage (its tensor-parallel ranks are alike).

    `runtime` = CUDA context, kernels, workspaces. `communication` = NCCL and all-reduce buffers.
    `reserve` = what the engine keeps its hands off; start-up takes `spare` of it once the KV cache
    is allocated (graphs, samplers, repacked weights). `left` < 0: so much is missing. `doubt` = how
    far the sum may be off; a verdict counts on it being off by that much to the wrong side.
    """

    stage: int = 0
    memory: int
    weights: int
    activation: int
    graphs: int
    communication: int
    runtime: int
    reserve: int
    kv: int
    doubt: int
    spare: int = 0

    @property
    def left(self) -> int:
        """What nothing claims; negative when more is claimed than there is."""
        return self.memory - sum(size for _, size in self.parts())

    def parts(self) -> Iterator[tuple[str, int]]:
        """Yield each part's name and size."""
        yield "weights", self.weights
        yield "KV cache", self.kv
        yield "activation", self.activation
        yield "CUDA graphs", self.graphs
        yield "communication", self.communication
        yield "runtime", self.runtime
        yield "reserve", self.reserve


class Refusal(Value, frozen=True, kw_only=True):
    """Why an engine would not start, whatever the memory: a CamelCase reason and a sentence."""

    reason: str
    message: str


class Near(Value, frozen=True, kw_only=True):
    """A configuration near to the wanted one that fits, and how it differs."""

    message: str
    wish: Wish


class Fit(Value, frozen=True, kw_only=True):
    """The verdict. `tokens` = KV capacity as the engine will print it.

    `holds` = requests of the wanted context it holds at once, by the careful reckoning that the
    verdict goes by. `tight` = the one stage that decides.
    """

    wish: Wish
    card: str
    fits: bool
    reason: str
    message: str
    ledgers: tuple[Ledger, ...] = ()
    tight: int = 0
    tokens: int = 0
    holds: float = 0.0
    warnings: tuple[str, ...] = ()
    near: tuple[Near, ...] = ()

    @property
    def ledger(self) -> Ledger | None:
        """The stage that decides; None when the engine would refuse before it loads."""
        return self.ledgers[self.tight] if self.ledgers else None
