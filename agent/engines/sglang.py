"""SGLang 0.5.23: flags, metrics, endings.

Facts: the 0.5.23 sources. Three matter most. Its scheduler writes the numbers of running and
queued requests only at a prefill, at every 40th decode step, and up to 30 s after the last one;
`http_requests_active` alone moves at once, and counts a stream until its last byte. `/health`
generates a token, so it takes a second or twenty, unless a variable makes it tell a state only.
And SIGTERM waits without limit for requests in flight: the deadline is ours.

SGLang has no limit on input alone: `max_total_tokens` bounds input and output together. It counts
running and waiting requests apart, so `max_concurrent_requests` bounds each of the two.
"""

from collections.abc import Iterator, Sequence

from agent.engines import arguments, exposition, markers, steps
from agent.engines.base import Chat, Container, Ending, Load, Mount
from agent.engines.sglang_tables import DIED, ENDINGS, OWNED, QUANTIZE, WRONG
from agent.pace import Patience
from agent.spec import EngineSpec

MODEL = "/model"
PORT = 30000
GIB = 1 << 30
# The first moves with every decode step and every chunk of a prefill; the second is there only
# where SGLANG_ENABLE_METRICS_DEVICE_TIMER is set.
STEPS = ("sglang:cuda_graph_passes_total", "sglang:forward_execution_seconds_total")

QUEUES = ("sglang:num_queue_reqs", "sglang:num_grammar_queue_reqs")


class Sglang:
    """Adapter of SGLang; satisfies `base.Engine`."""

    kind = "sglang"
    health_path = "/health"
    metrics_path = "/metrics"

    def faults(self, engine: EngineSpec) -> list[str]:
        """Return one sentence for each setting that SGLang cannot honour."""
        return [
            *_settings(engine),
            *arguments.faults(engine.extra_args, OWNED, WRONG),
            *arguments.environment_faults(engine.environment, _environment()),
        ]

    def container(self, engine: EngineSpec, weights: str, gpus: Sequence[str]) -> Container:
        """Render the container; `weights` is a directory of the host, `gpus` are UUIDs."""
        return Container(
            image=engine.image,
            command=(*_command(engine, max(1, len(gpus))), *engine.extra_args),
            environment={**_environment(), **engine.environment},
            port=PORT,
            published=engine.port,
            mounts=(Mount(source=weights, target=MODEL),),
            tmpfs=("/tmp",),  # noqa: S108 - inside the container
            shm_bytes=engine.shm_gib * GIB,
            memory_bytes=engine.memory_gib * GIB if engine.memory_gib else None,
        )

    def load(self, metrics: str) -> Load:
        """Read the requests inside the engine: every open POST, of which some are queued."""
        queues = [_of_scheduler(metrics, name) for name in QUEUES]
        waiting = None if queues[0] is None else sum(one or 0 for one in queues)
        active = exposition.series(metrics, "sglang:http_requests_active")
        if not active:
            return Load(running=_of_scheduler(metrics, "sglang:num_running_reqs"), waiting=waiting)
        # Our own looks are GETs.
        inside = int(sum(one.value for one in active if one.labels.get("method") == "POST"))
        waiting = min(waiting or 0, inside)
        return Load(running=inside - waiting, waiting=waiting)

    def progress(self, metrics: str) -> float | None:
        """Return the number of forward passes over all ranks, and seconds of them if measured."""
        found = [one for name in STEPS if (one := exposition.total(metrics, name)) is not None]
        return sum(found) if found else None

    def patience(self, engine: EngineSpec) -> Patience:
        """A step holds a chunk of a prompt at most: what turns chunks off is a flag of ours."""
        return steps.patience(engine, engine.max_batch_prefill_tokens)

    def classify(self, code: int, lines: Sequence[str]) -> Ending:
        """Say why SGLang ended: by its markers, then by its code, of which 0 is a crash too."""
        found = markers.find(ENDINGS, lines)
        return found or (DIED if code == 0 else markers.by_code(code, "SGLang"))

    def stop_deadline(self, engine: EngineSpec) -> float:
        """Return the drain deadline and 25 s: it looks every 5 s, and gives schedulers 15 s."""
        return engine.drain_deadline + 25

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
    # The image has no entry point.
    yield from ("sglang", "serve", "--model-path", MODEL)
    yield from ("--served-model-name", engine.name_served)
    yield from ("--host", "0.0.0.0")  # noqa: S104 - inside; Docker publishes it on loopback only
    yield from ("--port", str(PORT))
    yield from ("--tp-size", str(ranks))
    yield from ("--context-length", str(engine.max_total_tokens))
    yield from ("--max-running-requests", str(engine.max_concurrent_requests))
    # The waiting alone; as many, because a burst waits as a whole before any of it runs.
    yield from ("--max-queued-requests", str(engine.max_concurrent_requests))
    if engine.max_batch_prefill_tokens:
        yield from ("--chunked-prefill-size", str(engine.max_batch_prefill_tokens))
    if engine.dtype != "auto":
        yield from ("--dtype", engine.dtype)
    if engine.quantize:
        yield from ("--quantization", engine.quantize)
    if engine.quantize == "bitsandbytes":
        yield from ("--load-format", "bitsandbytes")
    if engine.trust_remote_code:
        yield "--trust-remote-code"
    yield from ("--uvicorn-access-log-exclude-prefixes", "/health", "/metrics")
    yield "--enable-metrics"  # last: the flag before it takes all that follows


def _environment() -> dict[str, str]:
    return {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION": "0",
    }


def _settings(engine: EngineSpec) -> Iterator[str]:
    if engine.quantize in QUANTIZE:
        yield f"quantize = {engine.quantize!r}: {QUANTIZE[engine.quantize]}"
    if engine.gpus == 0:
        yield "gpus = 0: SGLang's image serves on GPUs only; use kind 'vllm' with its CPU build"


def _of_scheduler(metrics: str, gauge: str) -> int | None:
    """Add the replicas (`dp_rank`) up; all ranks of one replica tell of the same requests.

    The highest of them counts: with priorities on, the total stands beside its parts, too.
    """
    highest: dict[str, float] = {}
    for one in exposition.series(metrics, gauge):
        replica = one.labels.get("dp_rank", "")
        highest[replica] = max(one.value, highest.get(replica, 0.0))
    return int(sum(highest.values())) if highest else None
