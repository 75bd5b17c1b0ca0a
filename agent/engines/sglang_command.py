"""SGLang's command line and environment, from the neutral spec."""

from collections.abc import Iterator

from agent.engines import companions, room
from agent.engines.sglang_flags import ALGORITHM
from agent.spec import EngineSpec

PORT = 30000
ENVIRONMENT = {
    **room.ENVIRONMENT,
    "SGLANG_CACHE_DIR": f"{room.CACHE}/sglang",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION": "0",
}


def command(engine: EngineSpec, tensor_parallel: int) -> Iterator[str]:
    """Yield the whole command line."""
    # The image has no entry point.
    yield from ("sglang", "serve", "--model-path", companions.MODEL)
    yield from ("--served-model-name", engine.name_served)
    yield from ("--host", "0.0.0.0")  # noqa: S104 - inside; Docker publishes it on loopback only
    yield from ("--port", str(PORT))
    yield from ("--tp-size", str(tensor_parallel))
    if engine.pipeline_parallel > 1:
        yield from ("--pp-size", str(engine.pipeline_parallel))
    if engine.data_parallel > 1:
        yield from ("--dp-size", str(engine.data_parallel))
    yield from ("--context-length", str(engine.max_total_tokens))
    running = engine.max_running_requests or engine.max_concurrent_requests
    yield from ("--max-running-requests", str(running))
    # The waiting alone; as many, because a burst waits as a whole before any of it runs.
    yield from ("--max-queued-requests", str(engine.max_concurrent_requests))
    if engine.max_batch_prefill_tokens:
        yield from ("--chunked-prefill-size", str(engine.max_batch_prefill_tokens))
    yield from _numbers(engine)
    yield from _speculation(engine)
    if engine.lora_adapters:
        yield from ("--lora-paths", *companions.adapters(engine))
        # A request without an adapter takes a place, too.
        yield from ("--max-loras-per-batch", str(len(engine.lora_adapters) + 1))
    if engine.lora_rank:
        yield from ("--max-lora-rank", str(engine.lora_rank))
    if engine.trust_remote_code:
        yield "--trust-remote-code"
    yield from ("--uvicorn-access-log-exclude-prefixes", "/health", "/metrics")
    yield "--enable-metrics"  # last: the flag before it takes all that follows


def _numbers(engine: EngineSpec) -> Iterator[str]:
    """In which types the model computes, and what it may keep in the GPUs' memory."""
    if engine.dtype != "auto":
        yield from ("--dtype", engine.dtype)
    if engine.quantize:
        yield from ("--quantization", engine.quantize)
    if engine.quantize == "bitsandbytes":
        yield from ("--load-format", "bitsandbytes")
    if engine.kv_cache_dtype != "auto":
        yield from ("--kv-cache-dtype", engine.kv_cache_dtype)
    if engine.memory_fraction:
        yield from ("--mem-fraction-static", str(engine.memory_fraction))
    if engine.prefix_caching is False:
        yield "--disable-radix-cache"


def _speculation(engine: EngineSpec) -> Iterator[str]:
    """A chain of guesses. SGLang counts the token before them in: N guesses are N + 1 tokens."""
    if engine.speculation is None or engine.speculation_tokens is None:
        return
    yield from ("--speculative-algorithm", ALGORITHM[engine.speculation])
    if engine.speculation_model:
        yield from ("--speculative-draft-model-path", companions.DRAFT)
    if engine.speculation != "ngram":
        yield from ("--speculative-num-steps", str(engine.speculation_tokens))
        yield from ("--speculative-eagle-topk", "1")
    yield from ("--speculative-num-draft-tokens", str(engine.speculation_tokens + 1))
