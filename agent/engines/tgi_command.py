"""TGI's command line and environment, from the neutral spec."""

import math
from collections.abc import Iterator

from agent.engines import companions, room
from agent.engines.tgi_flags import KV_CACHE
from agent.spec import EngineSpec

PORT = 8080
# Where the router writes a tokenizer as it starts, in the image's working directory.
SCRATCH = ("/usr/src/out",)
PROMETHEUS_PORT = 9000  # must be free at start, though nothing is served on it


def command(engine: EngineSpec, shards: int) -> Iterator[str]:
    """Yield the launcher's arguments; `shards` is the tensor-parallel degree."""
    # No --revision: with a local directory it makes the router take the path for a Hub id.
    yield from ("--model-id", companions.MODEL)
    yield from ("--num-shard", str(shards))
    # An IP address: `localhost` silently becomes 0.0.0.0. Docker publishes it on loopback only.
    yield from ("--hostname", "0.0.0.0")  # noqa: S104
    yield from ("--port", str(PORT))
    yield from ("--prometheus-port", str(PROMETHEUS_PORT))
    yield from ("--max-input-tokens", str(engine.max_input_tokens))
    yield from ("--max-total-tokens", str(engine.max_total_tokens))
    yield from ("--max-concurrent-requests", str(engine.max_concurrent_requests))
    yield from ("--graceful-termination-timeout", str(graceful(engine)))
    if engine.max_batch_prefill_tokens:
        yield from ("--max-batch-prefill-tokens", str(engine.max_batch_prefill_tokens))
    yield from _numbers(engine)
    if engine.speculation:
        yield from ("--speculate", str(engine.speculation_tokens))
    if engine.lora_adapters:
        yield from ("--lora-adapters", ",".join(companions.adapters(engine)))
    if engine.trust_remote_code:
        yield "--trust-remote-code"
    yield from ("--usage-stats", "off")
    yield "--json-output"


def _numbers(engine: EngineSpec) -> Iterator[str]:
    """In which types the model computes, and how much of the GPUs' memory it may take."""
    if engine.dtype != "auto":
        yield from ("--dtype", engine.dtype)
    if engine.quantize:
        yield from ("--quantize", engine.quantize)
    if engine.kv_cache_dtype != "auto":
        yield from ("--kv-cache-dtype", KV_CACHE[engine.kv_cache_dtype])
    if engine.memory_fraction:
        yield from ("--cuda-memory-fraction", str(engine.memory_fraction))


def environment(engine: EngineSpec) -> dict[str, str]:
    """Return the variables that Stoker sets."""
    # The router takes nothing but "1" for true.
    found = {**room.ENVIRONMENT, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    if engine.prefix_caching is not None:
        found["PREFIX_CACHING"] = str(int(engine.prefix_caching))
    return found


def graceful(engine: EngineSpec) -> int:
    """Return the seconds that the launcher grants to the router, and then to the shards."""
    return math.ceil(engine.drain_deadline)
