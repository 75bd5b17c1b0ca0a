"""The bytes of weights that a rank ends up with: what the engine makes of a tensor when it loads.

16-bit and 32-bit floats become the serving dtype; packed and 8-bit ones stay as they lie. Online
quantisation shrinks the linear layers the engine quantises, and no others.
"""

from collections.abc import Callable

from agent.planner import shards
from agent.planner.checkpoint import Checkpoint, Tensor
from agent.planner.shape import Model
from agent.planner.units import round_up, size_of
from agent.planner.wish import Wish

FLOATS = {"F32", "BF16", "F16"}
SERVING = {"bfloat16": "BF16", "float16": "F16", "half": "F16", "float32": "F32", "float": "F32"}
Online = Callable[[Tensor], float | None]


def serving(model: Model, wish: Wish) -> str:
    """Return the safetensors name of the dtype the model is served in."""
    return SERVING.get(wish.dtype, model.dtype)


def on_rank(checkpoint: Checkpoint, model: Model, wish: Wish, stage: range, online: Online) -> int:
    """Return the bytes of the checkpoint's weights on each rank of a pipeline stage.

    `online` says how many bytes an element takes once quantised at load; None = is not. It is not
    asked of a checkpoint that is quantised already.
    """
    dtype = serving(model, wish)

    def size(tensor: Tensor) -> float:
        if not shards.on_stage(tensor, model, stage) or _copy(tensor, model):
            return 0.0
        part = shards.share(tensor, model, wish.tp, by_expert=wish.expert_parallel)
        each = size_of(tensor.dtype)
        if tensor.dtype in FLOATS and "scale" not in tensor.name:
            shrunk = None if model.quant else online(tensor)
            each = size_of(dtype) if shrunk is None else shrunk
        return tensor.elements * part * each

    return int(sum(map(size, checkpoint.tensors)))


def as_stored(_: Tensor) -> None:
    """Quantise nothing: what `on_rank` is told of an engine that is asked for nothing."""


def ropes(model: Model, context: int, element: float) -> int:
    """Return the bytes of the cached sines and cosines, one row for each position."""
    return int(max(model.context, context) * model.rotary * element * model.ropes)


def absorbed(model: Model, wish: Wish, stage: range) -> int:
    """Return the bytes of MLA's up-projections, of which engines keep a second, 16-bit form."""
    return int(len(stage) * model.latent_up * 2 / wish.tp)


def padding(checkpoint: Checkpoint, model: Model, wish: Wish, stage: range) -> int:
    """Return what MXFP4 experts gain when their sides are rounded up for the kernels (mxfp4.py)."""
    if model.quant is None or model.quant.method != "mxfp4":
        return 0
    inner = max(1, model.expert_width // wish.tp)
    grown = round_up(inner, 128) * round_up(model.hidden, 256) / (inner * model.hidden)
    experts = sum(
        tensor.bytes * shards.share(tensor, model, wish.tp, by_expert=wish.expert_parallel)
        for tensor in checkpoint.tensors
        if "experts" in tensor.name and shards.on_stage(tensor, model, stage)
    )
    return int(experts * (grown - 1))


def _copy(tensor: Tensor, model: Model) -> bool:
    """Say whether this is a head that the tied embeddings already are."""
    return model.tied and shards.module(tensor.name) in shards.HEAD
