"""One shard: loads for a while, then answers calls on its socket, one at a time."""

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ... import gpus
from ...board import RUN_DIR_ENV, Board
from ...model_dir import Model, read_model
from ...settings import Settings, load_settings
from .python_log import log
from .shard_calls import OUT_OF_MEMORY, ShardCalls

_NO_ROOM = f"torch.OutOfMemoryError: {OUT_OF_MEMORY.format(rank=0)}"
_BAD_STARTS = {
    "oom": _NO_ROOM,
    "memory_held": _NO_ROOM,
    "shard_error": "ValueError: Unsupported model type simulated",
    "cuda": "RuntimeError: CUDA error: unspecified launch failure",
    "nccl": "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:94, "
    "unhandled system error",
    "no_gpu": "RuntimeError: No CUDA GPUs are available",
}


def run(model_id: str, uds_path: str, quantize: str | None, env: Mapping[str, str]) -> int:
    """Load and serve; exit code 0 for a stop and for an error met while serving, 1 for a bad start.

    A real shard also leaves with 0 after a CUDA error: its main loop just ends.
    """
    rank, world = int(env["RANK"]), int(env["WORLD_SIZE"])
    settings = load_settings(model_id, env)
    visible = gpus.visible_gpus(env, gpus.device_names())
    log(f"Detected system {'cuda' if visible else 'cpu'}")
    time.sleep(settings.load_seconds)
    problem = _cannot_load(settings, read_model(Path(model_id)), visible, rank, world, quantize)
    if problem is not None:
        print(f"Traceback (most recent call last):\n{problem}", file=sys.stderr)
        return 1
    while settings.start == "never_ready":
        time.sleep(1)
    calls = ShardCalls(settings, Board(Path(env[RUN_DIR_ENV])), rank=rank)
    asyncio.run(calls.serve(f"{uds_path}-{rank}"))
    return 0


def _cannot_load(
    settings: Settings, model: Model, visible: int, rank: int, world: int, quantize: str | None
) -> str | None:
    """The last line of the traceback a real shard would end with, or None."""
    problem = _no_device(visible, rank, world, quantize) or _indivisible(model, world)
    if problem is None and rank == 0:
        problem = _BAD_STARTS.get(settings.start)
    return problem


def _no_device(visible: int, rank: int, world: int, quantize: str | None) -> str | None:
    if visible == 0:
        if quantize is not None:
            return f"NotImplementedError: {quantize} quantization is not supported on CPU"
        if world > 1:
            return "ValueError: sharded is not supported on CPU"
    elif rank >= visible:
        return (
            "RuntimeError: CUDA error: invalid device ordinal "
            f"(sharded over {world}, more than GPUs visible: {visible})"
        )
    return None


def _indivisible(model: Model, world: int) -> str | None:
    for name, heads in (("num_heads", model.heads), ("num_key_value_heads", model.kv_heads)):
        if heads is not None and heads % world != 0:
            return (
                f"ValueError: `{name}` must be divisible by `num_shards` "
                f"(got `{name}`: {heads} and `num_shards`: {world})"
            )
    return None
