"""Which part of a tensor lies on a rank: the rules of vLLM's and SGLang's parallel layers.

Column-parallel layers split their outputs and row-parallel ones their inputs by the tensor-parallel
degree; key and value heads are replicated where there are fewer of them than ranks; embeddings are
split by vocabulary; norms, routers and MLA's down-projections lie whole on each rank
(vllm/model_executor/layers/linear.py, vocab_parallel_embedding.py; SGLang keeps the same files).
"""

import re

from agent.planner.checkpoint import Tensor
from agent.planner.shape import Model
from agent.planner.units import ceil_div

VISION = re.compile(r"vision|visual|multi_modal|mm_projector|image_newline|audio")
LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)\.")
EMBEDDING = ("embed_tokens", "word_embeddings", "wte", "tok_embeddings")
HEAD = ("lm_head", "embed_out")

_SUFFIX = re.compile(
    r"\.(weight|bias|qweight|qzeros|scales|g_idx|weight_packed|weight_scale|weight_scale_inv"
    r"|weight_zero_point|weight_shape|weight_global_scale|input_scale)$"
)
_KV = {"k_proj", "v_proj", "wk", "wv"}
_FUSED = {"qkv_proj", "Wqkv", "query_key_value", "c_attn", "qkv"}
_COLUMN = {
    "q_proj", "gate_proj", "up_proj", "gate_up_proj", "w1", "w3", "fc1", "wq", "c_fc",
    "q_b_proj", "kv_b_proj", "dense_h_to_4h", "in_proj_qkv", "in_proj_qkvz", "in_proj_z",
    "in_proj_ba", "in_proj_a", "in_proj_b", "conv1d", "A_log", "dt_bias", "linear_1",
}  # fmt: skip
_ROW = {
    "o_proj", "down_proj", "w2", "fc2", "wo", "out_proj", "dense_4h_to_h", "dense", "c_proj",
    "linear_2", "proj",
}  # fmt: skip

_SPLIT = {*EMBEDDING, *HEAD, *_KV, *_FUSED, *_COLUMN}


def module(name: str) -> str:
    """Return the layer's own name: `q_proj` of `model.layers.0.self_attn.q_proj.weight`."""
    return _SUFFIX.sub("", name).rsplit(".", 1)[-1]


def is_vision(name: str) -> bool:
    """Say whether a tensor belongs to a vision or audio tower, or what joins it to the model."""
    return VISION.search(name) is not None


def is_linear(name: str) -> bool:
    """Say whether a tensor is the weight of a linear layer, of those that get quantised online."""
    known = _KV | _FUSED | _COLUMN | _ROW | {"q_a_proj", "kv_a_proj_with_mqa", "fused_qkv_a_proj"}
    return name.endswith((".weight", "_proj")) and module(name) in known


def layer(name: str) -> int | None:
    """Return the number of the transformer layer, None for what lies outside of them."""
    found = LAYER.search(name)
    return int(found.group(1)) if found and not is_vision(name) else None


def share(tensor: Tensor, model: Model, tp: int, *, by_expert: bool = False) -> float:
    """Return which part of `tensor` one of `tp` ranks holds, 0 to 1.

    `by_expert`: whole experts are spread over the ranks (expert parallelism).
    """
    name = tensor.name
    if tp == 1 or tensor.elements <= tensor.count:
        return 1.0
    if is_vision(name):
        return 1 / tp if _is_split(tensor) and model.vision_heads % tp == 0 else 1.0
    if by_expert and "experts." in name and "shared" not in name:
        return ceil_div(model.experts, tp) / model.experts
    own = module(name)
    if own in _KV:
        return 1 / min(tp, model.kv_heads)
    return _fused(model, tp) if own in _FUSED else 1 / tp if _is_split(tensor) else 1.0


def _is_split(tensor: Tensor) -> bool:
    own = module(tensor.name)
    return own in _SPLIT or (own in _ROW and not _whole(tensor))


def _fused(model: Model, tp: int) -> float:
    held = model.heads / tp + 2 * model.kv_heads / min(tp, model.kv_heads)
    return held / (model.heads + 2 * model.kv_heads)


def _whole(tensor: Tensor) -> bool:
    """Say whether a row-parallel layer keeps this whole: its bias, and one scale per output."""
    return tensor.name.endswith(".bias") or (
        "scale" in tensor.name and (len(tensor.shape) == 1 or tensor.shape[-1] == 1)
    )


def stages(layers: int, pp: int) -> list[range]:
    """Spread layers over pipeline stages as vLLM's `get_pp_indices` does; SGLang copied it.

    What is left over goes to the stages before the last, from the back.
    """
    sizes = [layers // pp] * pp
    for number in range(2, layers % pp + 2):
        sizes[-number] += 1
    starts = [sum(sizes[:number]) for number in range(pp)]
    return [range(start, start + size) for start, size in zip(starts, sizes, strict=True)]


def on_stage(tensor: Tensor, model: Model, stage: range) -> bool:
    """Say whether a pipeline stage holds `tensor`; tied embeddings lie on both ends."""
    number = layer(tensor.name)
    if number is not None:
        return (
            number in stage or number >= model.layers
        )  # a draft head counts as a layer past the end
    first, last = stage.start == 0, stage.stop == model.layers
    own = module(tensor.name)
    if own in EMBEDDING:
        return first or (model.tied and last)
    if is_vision(tensor.name):
        return first
    return last
