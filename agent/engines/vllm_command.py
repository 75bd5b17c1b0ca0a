"""vLLM's command line and environment, from the neutral spec."""

import math
from collections.abc import Iterator

import msgspec

from agent.engines import companions, room, values
from agent.engines.vllm_flags import KV_CACHE, PROGRAM, QUANTIZE
from agent.spec import EngineSpec

PORT = 8000
# The official image is prepared for it (vLLM's docs/deployment/docker.md), and runs as any other
# user too, given a home.
USER = "2000:0"
ENVIRONMENT = {
    **room.ENVIRONMENT,
    "VLLM_CACHE_ROOT": f"{room.CACHE}/vllm",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "VLLM_NO_USAGE_STATS": "1",
    # Without it, --shutdown-timeout can wait for ever for a client with an open stream.
    "VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS": "10",
    "PROMETHEUS_DISABLE_CREATED_SERIES": "true",
}
# The CPU build: GiB for the KV cache, and threads as the kernel likes them. To be overridden.
CPU = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}


def command(engine: EngineSpec, tensor_parallel: int) -> Iterator[str]:
    """Yield the arguments of `vllm serve`, the image's entry point."""
    yield companions.MODEL
    yield from ("--served-model-name", engine.name_served)
    yield from ("--host", "0.0.0.0")  # noqa: S104 - inside; Docker publishes it on loopback only
    yield from ("--port", str(PORT))
    yield from ("--tensor-parallel-size", str(tensor_parallel))
    if engine.pipeline_parallel > 1:
        yield from ("--pipeline-parallel-size", str(engine.pipeline_parallel))
    if engine.data_parallel > 1:
        yield from ("--data-parallel-size", str(engine.data_parallel))
    yield from ("--max-model-len", str(engine.max_total_tokens))
    # In flight in total, not queued: the name misleads. Beyond it: 503.
    yield from ("--max-num-queued-reqs", str(engine.max_concurrent_requests))
    if engine.max_running_requests:
        yield from ("--max-num-seqs", str(engine.max_running_requests))
    yield from ("--shutdown-timeout", str(math.ceil(engine.drain_deadline)))
    if engine.max_batch_prefill_tokens:
        yield from ("--max-num-batched-tokens", str(engine.max_batch_prefill_tokens))
    yield from _numbers(engine)
    yield from _companions(engine)
    if engine.trust_remote_code:
        yield "--trust-remote-code"
    yield "--enable-server-load-tracking"
    yield from ("--disable-access-log-for-endpoints", "/health,/metrics")


def _numbers(engine: EngineSpec) -> Iterator[str]:
    """In which types the model computes, and what it may keep in the GPUs' memory."""
    if engine.dtype != "auto":
        yield from ("--dtype", engine.dtype)
    if engine.quantize:
        yield from ("--quantization", engine.quantize)
    if engine.kv_cache_dtype != "auto":
        yield from ("--kv-cache-dtype", engine.kv_cache_dtype)
    if engine.memory_fraction:
        yield from ("--gpu-memory-utilization", str(engine.memory_fraction))
    if engine.prefix_caching is not None:
        yield "--enable-prefix-caching" if engine.prefix_caching else "--no-enable-prefix-caching"


def _companions(engine: EngineSpec) -> Iterator[str]:
    if engine.speculation:
        method = "draft_model" if engine.speculation == "draft" else engine.speculation
        config: dict[str, object] = {"method": method}
        if engine.speculation_model:
            config["model"] = companions.DRAFT
        config["num_speculative_tokens"] = engine.speculation_tokens
        yield from ("--speculative-config", msgspec.json.encode(config).decode())
    if engine.lora_adapters:
        yield from ("--enable-lora", "--lora-modules", *companions.adapters(engine))
        # In one batch. By default it is 1, and requests of other adapters wait.
        yield from ("--max-loras", str(len(engine.lora_adapters)))
    if engine.lora_rank:
        yield from ("--max-lora-rank", str(engine.lora_rank))


def environment(engine: EngineSpec) -> dict[str, str]:
    """Return the variables that Stoker sets; those of the CPU build can be overridden."""
    return {**ENVIRONMENT, **(CPU if engine.gpus == 0 else {})}


def faults(engine: EngineSpec) -> Iterator[str]:
    """Yield one sentence for each word that vLLM does not know."""
    for key, value, flag, hints in (
        ("quantize", engine.quantize, "--quantization", QUANTIZE),
        ("kv_cache_dtype", engine.kv_cache_dtype, "--kv-cache-dtype", KV_CACHE),
        ("lora_rank", engine.lora_rank, "--max-lora-rank", {}),
    ):
        yield from values.faults(key, value, PROGRAM.title, PROGRAM.flags[flag].choices, hints)
