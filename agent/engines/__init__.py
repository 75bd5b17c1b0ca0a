"""The engine programs that Stoker can run.

To add one: `agent/engines/KIND.py` with a class that satisfies `base.Engine`, a line below,
its kind in `EngineSpec.kind`, its table of flags in `agent/data/`, and for the contract tests
twelve specs, a `/metrics` sample and cases of its endings.

    KIND.py          the adapter: metrics, patience, endings
    KIND_command.py  command line and environment from the neutral spec
    KIND_flags.py    its words, the flags that are ours, well-known mistakes
    KIND_lacks.py    what it lacks, and what to use instead (vLLM's is in its command)
    KIND_tables.py   how it ends
    KIND_figures.py  what it calls what all engines count
"""

from collections.abc import Mapping

from agent.engine_spec import EngineSpec
from agent.engines.base import Engine
from agent.engines.sglang import Sglang
from agent.engines.tgi import Tgi
from agent.engines.vllm import Vllm

ENGINES: dict[str, Engine] = {
    "tgi": Tgi(),
    "vllm": Vllm(),
    "sglang": Sglang(),
}


def longest_stop(engines: Mapping[str, EngineSpec]) -> float:
    """Return the seconds that the slowest of them has to stop; 0 of none."""
    return max((ENGINES[one.kind].stop_deadline(one) for one in engines.values()), default=0.0)
