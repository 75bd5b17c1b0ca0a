"""``sglang-scheduler``: one rank; loads, then steps until it dies.

Called with the model, the number of ranks, its rank and its socket.
"""

import asyncio
import os
import signal
import time
from pathlib import Path

from ... import gpus
from ...board import RUN_DIR_ENV, Board
from ...model_dir import read_model
from ...process import rename_self
from ...serving.rank import Death, Rank
from ...settings import Settings, load_settings
from .log import Log

_HIT = "Scheduler hit an exception: Traceback (most recent call last):\n"
_OOM = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total "
    "capacity of 79.11 GiB of which 1.23 GiB is free."
)
_NCCL = (
    "[rank0]:[E] [PG ID 2 PG GUID 3 Rank 0] Watchdog caught collective operation timeout: "
    "WorkNCCL(SeqNum=42, OpType=ALLREDUCE, NumelIn=4096, NumelOut=4096, Timeout(ms)=600000) ran "
    "for 600003 milliseconds before timing out."
)
_CUDA = "torch.AcceleratorError: CUDA error: an illegal memory access was encountered"
DEATHS = {
    "oom": Death(f"{_HIT}{_OOM}"),
    "cuda": Death(f"{_HIT}{_CUDA}"),
    "nccl": Death(_NCCL, signal.SIGABRT),
    "sigbus": Death(number=signal.SIGBUS),
    "killed": Death(number=signal.SIGKILL),
}
_STARTS = {
    "oom": _OOM,
    "warmup_oom": "Exception: Capture cuda graph failed: CUDA out of memory. Tried to allocate "
    "2.00 GiB.\nPossible solutions:\n1. set --mem-fraction-static to a smaller value (e.g., 0.8 "
    "or 0.7)",
    "shard_error": "ValueError: Model architectures ['SimulatedModel'] are not supported for now. "
    "Supported architectures: dict_keys([...])",
    "memory_held": "ValueError: The memory capacity is unbalanced. Some GPUs may be occupied by "
    "other processes. pre_model_load_memory=10.2, local_gpu_memory=79.1",
    "cuda": "torch.AcceleratorError: CUDA error: unspecified launch failure",
    "nccl": "RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for "
    "details)",
    "no_gpu": "RuntimeError: No CUDA GPUs are available",
}


def main(argv: list[str]) -> int:
    """Load, then serve; exit code 1 when loading fails."""
    model, world, rank, path = argv
    several = int(world) > 1
    rename_self(f"sglang::scheduler_TP{rank}" if several else "sglang::scheduler")
    log = Log(f"TP{rank}" if several else "")
    settings = load_settings(model, os.environ)
    log.say("Load weight begin. avail mem=78.56 GB")
    time.sleep(settings.load_seconds)
    problem = _cannot_start(settings, model, int(world), int(rank))
    if problem is not None:
        log.say(f"{_HIT}{problem}")
        return 1
    while settings.start == "never_ready":
        time.sleep(1)
    log.say(f"Load weight end. elapsed={settings.load_seconds:.2f} s, type=LlamaForCausalLM")
    log.say(f"KV Cache is allocated. #tokens: {settings.kv_tokens}, K size: 8.00 GB")
    board = Board(Path(os.environ[RUN_DIR_ENV]))
    asyncio.run(Rank(board, int(rank), DEATHS, log.say).serve(path))
    return 0


def _cannot_start(settings: Settings, model: str, world: int, rank: int) -> str | None:
    """The traceback's last lines, or None."""
    if settings.start in _STARTS and rank == 0:
        return _STARTS[settings.start]
    if rank >= max(1, gpus.visible_gpus(os.environ, gpus.device_names())):
        return "torch.AcceleratorError: CUDA error: invalid device ordinal"
    heads = read_model(Path(model)).heads
    if heads is not None and heads % world != 0:
        return "    assert self.total_num_heads % tp_size == 0\nAssertionError"
    if settings.kv_tokens < 1:
        return (
            "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static. "
            "Current value: self.server_args.mem_fraction_static=0.86"
        )
    return None
