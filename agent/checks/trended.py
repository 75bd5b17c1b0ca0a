"""A poll of the driver with what came before it: the reading of checks that judge growth."""

from agent.model import Value
from agent.sources import Sources
from agent.sources.gpu import Gpu, NvmlReading
from agent.trends import Trends, delta


class Trended(Value, frozen=True, kw_only=True):
    """`trends` already hold the poll `nvml`."""

    nvml: NvmlReading
    trends: Trends

    def grown(self, gpu: Gpu, field: str, count: int | None, window: float) -> int:
        """Return how much a counter that stands at `count` rose in the last `window` seconds.

        Most counters of most GPUs stand at zero for ever, and cost nothing here.
        """
        return delta(self.trends, gpu.uuid, field, window) or 0 if count else 0


def trended(sources: Sources) -> Trended:
    """Return this round's poll and the trends; `SourceError` when the driver was not read."""
    return Trended(nvml=sources.nvml.require(), trends=sources.trends)
