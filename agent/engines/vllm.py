"""vLLM 0.33 (and its CPU build 0.32): flags, metrics, endings.

Facts: the 0.33 sources, and runs of the CPU build. Two matter most. When its engine core dies,
the server ends with exit code 0: an ending that nobody asked for is a crash whatever its code.
And `--shutdown-timeout` alone can hang for ever with an open stream; the variable
VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS is the cure.

vLLM has no limit on input alone: `max_total_tokens` bounds input and output together.
"""

import math
from collections.abc import Iterator, Sequence

from agent.engines import arguments, exposition, markers, steps
from agent.engines.base import Chat, Container, Ending, Load, Mount
from agent.engines.vllm_tables import DIED, ENDINGS, OWNED, QUANTIZE, WRONG
from agent.pace import Patience
from agent.spec import EngineSpec

MODEL = "/model"
PORT = 8000
GIB = 1 << 30
# The CPU build: GiB for the KV cache, and threads as the kernel likes them. To be overridden.
CPU = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}


class Vllm:
    """Adapter of vLLM; satisfies `base.Engine`."""

    kind = "vllm"
    health_path = "/health"
    metrics_path = "/metrics"

    def faults(self, engine: EngineSpec) -> list[str]:
        """Return one sentence for each setting that vLLM cannot honour."""
        return [
            *_quantize(engine),
            *arguments.faults(engine.extra_args, OWNED, WRONG),
            *arguments.environment_faults(engine.environment, _environment()),
        ]

    def container(self, engine: EngineSpec, weights: str, gpus: Sequence[str]) -> Container:
        """Render the container; `weights` is a directory of the host, `gpus` are UUIDs."""
        return Container(
            image=engine.image,
            command=(*_command(engine, max(1, len(gpus))), *engine.extra_args),
            environment={
                **_environment(),
                **(CPU if engine.gpus == 0 else {}),
                **engine.environment,
            },
            port=PORT,
            published=engine.port,
            mounts=(Mount(source=weights, target=MODEL),),
            tmpfs=("/tmp",),  # noqa: S108 - inside the container
            shm_bytes=engine.shm_gib * GIB,
            memory_bytes=engine.memory_gib * GIB if engine.memory_gib else None,
        )

    def load(self, metrics: str) -> Load:
        """Read the requests inside the engine, over all of its engine cores."""
        return Load(
            running=_count(metrics, "vllm:num_requests_running"),
            waiting=_count(metrics, "vllm:num_requests_waiting"),
        )

    def progress(self, metrics: str) -> float | None:
        """Return the number of steps that gave a token, and in its fraction what others change.

        A step that reads one more chunk of a prompt gives no token, and then no counter moves
        (async_llm.py: no outputs, no IterationStats). Its scheduler's gauges are told all the
        same: the KV cache fills, and a request that has come in meanwhile waits.
        """
        steps = exposition.total(metrics, "vllm:iteration_tokens_total_count")
        if steps is None:
            return None
        usage = exposition.total(metrics, "vllm:kv_cache_usage_perc") or 0.0  # 0 to 1 per core
        return steps + usage + (_count(metrics, "vllm:num_requests_waiting") or 0) / 1024

    def patience(self, engine: EngineSpec) -> Patience:
        """A step holds a chunk; a whole prompt where chunked prefill is off."""
        tokens = engine.max_batch_prefill_tokens
        if "--no-enable-chunked-prefill" in map(arguments.name, engine.extra_args):
            tokens = max(tokens or 0, engine.max_total_tokens)
        return steps.patience(engine, tokens)

    def classify(self, code: int, lines: Sequence[str]) -> Ending:
        """Say why vLLM ended: by its markers, then by its code, of which 0 is a crash too."""
        found = markers.find(ENDINGS, lines)
        return found or (DIED if code == 0 else markers.by_code(code, "vLLM"))

    def stop_deadline(self, engine: EngineSpec) -> float:
        """Return the drain deadline and 20 s: the worker timeout, and some to wind up."""
        return engine.drain_deadline + 20

    def chat(self, engine: EngineSpec) -> Chat:
        """Return a one-token chat completion."""
        body: dict[str, object] = {
            "model": engine.name_served,
            "messages": [{"role": "user", "content": "ping"}],
            "max_tokens": 1,
            "stream": False,
        }
        return Chat(path="/v1/chat/completions", body=body)


def _command(engine: EngineSpec, ranks: int) -> Iterator[str]:
    yield MODEL
    yield from ("--served-model-name", engine.name_served)
    yield from ("--host", "0.0.0.0")  # noqa: S104 - inside; Docker publishes it on loopback only
    yield from ("--port", str(PORT))
    yield from ("--tensor-parallel-size", str(ranks))
    yield from ("--max-model-len", str(engine.max_total_tokens))
    # In flight in total, not queued: the name misleads. Beyond it: 503.
    yield from ("--max-num-queued-reqs", str(engine.max_concurrent_requests))
    yield from ("--shutdown-timeout", str(math.ceil(engine.drain_deadline)))
    if engine.max_batch_prefill_tokens:
        yield from ("--max-num-batched-tokens", str(engine.max_batch_prefill_tokens))
    if engine.dtype != "auto":
        yield from ("--dtype", engine.dtype)
    if engine.quantize:
        yield from ("--quantization", engine.quantize)
    if engine.trust_remote_code:
        yield "--trust-remote-code"
    yield "--enable-server-load-tracking"
    yield from ("--disable-access-log-for-endpoints", "/health,/metrics")


def _environment() -> dict[str, str]:
    return {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS": "10",
        "PROMETHEUS_DISABLE_CREATED_SERIES": "true",
    }


def _quantize(engine: EngineSpec) -> Iterator[str]:
    if engine.quantize in QUANTIZE:
        yield f"quantize = {engine.quantize!r}: {QUANTIZE[engine.quantize]}"


def _count(metrics: str, sample: str) -> int | None:
    found = exposition.total(metrics, sample)
    return None if found is None else int(found)
