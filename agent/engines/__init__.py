"""The engine programs that Stoker can run.

To add one: `agent/engines/KIND.py` with a class that satisfies `base.Engine`, a line below,
its kind in `spec.EngineSpec.kind`, and for the contract tests a `/metrics` sample and cases of
its endings.
"""

from agent.engines.base import Engine
from agent.engines.sglang import Sglang
from agent.engines.tgi import Tgi
from agent.engines.vllm import Vllm

ENGINES: dict[str, Engine] = {
    "tgi": Tgi(),
    "vllm": Vllm(),
    "sglang": Sglang(),
}
