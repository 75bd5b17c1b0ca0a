"""``vllm-core``: the engine core, or one worker of it; loads, then steps until it dies.

Called with the model, the context length, the process's name, its rank and its socket.
"""

import asyncio
import os
import signal
import time
from pathlib import Path

from ... import gpus
from ...board import RUN_DIR_ENV, Board
from ...process import rename_self
from ...serving.rank import Death, Rank
from ...settings import Settings, load_settings
from .log import Log

_FATAL = "EngineCore encountered a fatal error.\nTraceback (most recent call last):\n"
_OOM = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total "
    "capacity of 79.11 GiB of which 1.23 GiB is free. Including non-PyTorch memory, this process "
    "has 77.87 GiB memory in use."
)
_NCCL = (
    "[rank0]:[E] [PG ID 2 PG GUID 3 Rank 0] Watchdog caught collective operation timeout: "
    "WorkNCCL(SeqNum=42, OpType=ALLREDUCE, NumelIn=4096, NumelOut=4096, Timeout(ms)=600000) ran "
    "for 600003 milliseconds before timing out."
)
_CUDA = "torch.AcceleratorError: CUDA error: an illegal memory access was encountered"
DEATHS = {
    "oom": Death(f"{_FATAL}{_OOM}"),
    "cuda": Death(f"{_FATAL}{_CUDA}"),
    "nccl": Death(_NCCL, signal.SIGABRT),
    "sigbus": Death(number=signal.SIGBUS),
    "killed": Death(number=signal.SIGKILL),
}
_STARTS = {
    "oom": _OOM,
    "warmup_oom": "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 "
    "dummy requests. Please try lowering `max_num_seqs` or `gpu_memory_utilization` when "
    "initializing the engine.",
    "shard_error": "pydantic_core._pydantic_core.ValidationError: 1 validation error for "
    "ModelConfig\n  Value error, Model architectures ['SimulatedModel'] are not supported for now. "
    "Supported architectures: dict_keys([...])",
    "memory_held": "ValueError: Free memory on device cuda:0 (10.2/79.11 GiB) on startup is less "
    "than desired GPU memory utilization (0.92, 72.78 GiB). Decrease GPU memory utilization or "
    "reduce GPU memory used by other processes.",
    "cuda": "torch.AcceleratorError: CUDA error: unspecified launch failure",
    "nccl": "RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for "
    "details)",
    "no_gpu": "RuntimeError: No CUDA GPUs are available",
}


def main(argv: list[str]) -> int:
    """Load, then serve; exit code 1 when loading fails."""
    model, length, name, rank, path = argv
    rename_self(name)
    settings = load_settings(model, os.environ)
    log = Log(name.removeprefix("VLLM::"))
    log.say("core.py:112", f"Initializing a V1 LLM engine (v0.33.0) with config: model='{model}'")
    time.sleep(settings.load_seconds)
    if int(rank) == 0 and (problem := _cannot_start(settings, int(length))) is not None:
        trace = f"EngineCore failed to start.\nTraceback (most recent call last):\n{problem}"
        log.fail("core.py:1189", trace)
        return 1
    while settings.start == "never_ready":
        time.sleep(1)
    log.say("default_loader.py:397", f"Loading weights took {settings.load_seconds:.2f} seconds")
    log.say("kv_cache_utils.py:1669", f"GPU KV cache size: {settings.kv_tokens:,} tokens")
    share = settings.kv_tokens / int(length)
    most = f"Maximum concurrency for {int(length):,} tokens per request: {share:.2f}x"
    log.say("kv_cache_utils.py:1674", most)
    board = Board(Path(os.environ[RUN_DIR_ENV]))
    serving = Rank(board, int(rank), DEATHS, lambda text: log.fail("core.py:1198", text))
    asyncio.run(serving.serve(path))
    return 0


def _cannot_start(settings: Settings, length: int) -> str | None:
    """The traceback's last lines, or None."""
    if settings.start in _STARTS:
        return _STARTS[settings.start]
    ranks, visible = _world(), gpus.visible_gpus(os.environ, gpus.device_names())
    if ranks > max(visible, 1):
        return (
            f"ValueError: World size ({ranks}) is larger than the number of available GPUs "
            f"({visible}) in this node. If this is intentional and you are using: ..."
        )
    if length > settings.kv_tokens:
        return (
            "ValueError: To serve at least one request with the model's max seq len "
            f"({length}), (4.0 GiB KV cache is needed, which is larger than the available KV "
            "cache memory (1.0 GiB). Based on the available memory, the estimated maximum model "
            f"length is {settings.kv_tokens}. Try increasing `gpu_memory_utilization` or "
            "decreasing `max_model_len` when initializing the engine."
        )
    return None


def _world() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))
