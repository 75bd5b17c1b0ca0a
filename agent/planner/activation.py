"""Peak memory of a forward pass and of sampling after it, as the engines' warm-up meets it.

The forms follow from what is alive at the peak; the factors are fitted to 50 start-ups of vLLM
0.19 on an H100 (log lines "torch peak memory increase"), within 0.1 GiB for dense models:
sampling: logits of `rows` sequences in 32 bits, several copies of them;
forward: the gate and up projections and their product, and a handful of hidden states;
experts: the two workspaces of the fused kernel, whose rows are tokens times experts chosen.
"""

from agent.planner.shape import Model
from agent.planner.units import GIB

SORTED, SAMPLED, PLAIN = 9.4, 3.62, 2.5  # copies of the logits: see `vllm.py`
HIDDEN = 4.25
FIXED = 0.045 * GIB
EMBEDDED = 0.25 * GIB  # the encoder's cache: embeddings of an image of the largest size
ENCODER = 1.5 * GIB  # the tower's own pass over it; smaller than sampling on large cards


def peak(model: Model, tokens: int, rows: int, tp: int, copies: float, *, last: bool = True) -> int:
    """Return the peak in bytes for a step of `tokens` that samples `rows` sequences.

    `last`: the pipeline stage that samples. Logits are gathered, so `tp` does not divide them.
    """
    hidden = tokens * model.hidden * 2
    forward = hidden * HIDDEN + tokens * 3 * _width(model) / tp * 2
    sampling = copies * rows * model.vocab * 4 + 1.15 * hidden if last else 0
    experts = 1.2 * _experts(model, tokens, tp) + 0.03 * GIB if model.experts else 0
    passed = 0 if last else 2 * hidden
    tower, embedded = (ENCODER, EMBEDDED) if model.vision else (0.0, 0.0)
    return int(max(forward + passed, sampling, tower) + FIXED + experts + embedded)


def _width(model: Model) -> int:
    """Width of the dense layers; experts are reckoned apart."""
    return 0 if model.experts else model.intermediate


def _experts(model: Model, tokens: int, tp: int) -> float:
    rows = tokens * model.chosen
    inner = max(1, model.expert_width // tp)
    return rows * (max(2 * inner, model.hidden) + inner) * 2
