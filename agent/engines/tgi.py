"""Text Generation Inference 3.3: flags, metrics, endings.

Facts (flags, exit codes, markers): the launcher, router and server sources at 3.3.7. TGI serves
one model and answers to any model name, so `served_name` needs no flag. `/metrics` counters
appear with their first increment: an absent one is 0.
"""

import math
from collections.abc import Iterator, Sequence

from agent.engines import arguments, exposition, markers
from agent.engines.base import Chat, Container, Ending, Load, Mount
from agent.engines.tgi_tables import ENDINGS, KNOWN, OWNED, QUANTIZE, WRONG
from agent.pace import Patience
from agent.spec import EngineSpec

MODEL = "/model"
PORT = 8080
PROMETHEUS_PORT = 9000  # must be free at start, though nothing is served on it
GIB = 1 << 30


class Tgi:
    """Adapter of TGI; satisfies `base.Engine`."""

    kind = "tgi"
    health_path = "/health"
    metrics_path = "/metrics"

    def faults(self, engine: EngineSpec) -> list[str]:
        """Return one sentence for each setting that TGI cannot honour."""
        return [
            *_quantize(engine),
            *arguments.faults(engine.extra_args, OWNED, WRONG, KNOWN),
            *(
                f"extra_args: {argument!r}: TGI's image splits arguments at spaces; use the "
                "variable of that flag in environment"
                for argument in engine.extra_args
                if any(character.isspace() for character in argument)
            ),
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
            tmpfs=("/tmp",),  # noqa: S108 - inside the container, where the shards' sockets lie
            shm_bytes=engine.shm_gib * GIB,
            memory_bytes=engine.memory_gib * GIB if engine.memory_gib else None,
        )

    def load(self, metrics: str) -> Load:
        """Read the requests inside the engine: those in the running batch, and the queue."""
        return Load(
            running=_count(metrics, "tgi_batch_current_size"),
            waiting=_count(metrics, "tgi_queue_size"),
        )

    def progress(self, metrics: str) -> float | None:
        """Return the number of completed forward passes, prefill and decode together."""
        found = exposition.total(metrics, "tgi_batch_inference_success")
        return found if found is not None else _zero(metrics)

    def patience(self, engine: EngineSpec) -> Patience:
        """A step may hold a whole prompt; and NCCL, which gives up after 120 s, shall do so first.

        A quick /health says that no shard computes (each answers it between two steps), so a dead
        router loop behind an idle engine shows after the time in which validation, which fetches
        images, may hold a probe up. A slow one (a shard is stuck, or reads a long prompt) leaves
        NCCL its time. "Full" is 429, and acquits.
        """
        stalled = engine.hang_after or 150.0
        return Patience(
            stalled=stalled,
            probe=30.0,
            idle_probe=30.0,
            idle_slow=stalled + 30.0,
            blind=stalled + 30.0,
        )

    def classify(self, code: int, lines: Sequence[str]) -> Ending:
        """Say why TGI ended; its exit code 1 means anything, so the markers come first."""
        return markers.find(ENDINGS, lines) or markers.by_code(code, "TGI")

    def stop_deadline(self, engine: EngineSpec) -> float:
        """Twice the graceful timeout: the launcher grants it to the router, then to the shards."""
        return 2 * _graceful(engine) + 15

    def chat(self, engine: EngineSpec) -> Chat:  # noqa: ARG002 - any other name is an adapter id
        """Return a one-token chat completion."""
        body: dict[str, object] = {
            "model": "tgi",
            "messages": [{"role": "user", "content": "ping"}],
            "max_tokens": 1,
            "stream": False,
        }
        return Chat(path="/v1/chat/completions", body=body)


def _command(engine: EngineSpec, shards: int) -> Iterator[str]:
    # No --revision: with a local directory it makes the router take the path for a Hub id.
    yield from ("--model-id", MODEL)
    yield from ("--num-shard", str(shards))
    # An IP address: `localhost` silently becomes 0.0.0.0. Docker publishes it on loopback only.
    yield from ("--hostname", "0.0.0.0")  # noqa: S104
    yield from ("--port", str(PORT))
    yield from ("--prometheus-port", str(PROMETHEUS_PORT))
    yield from ("--max-input-tokens", str(engine.max_input_tokens))
    yield from ("--max-total-tokens", str(engine.max_total_tokens))
    yield from ("--max-concurrent-requests", str(engine.max_concurrent_requests))
    yield from ("--graceful-termination-timeout", str(_graceful(engine)))
    if engine.max_batch_prefill_tokens:
        yield from ("--max-batch-prefill-tokens", str(engine.max_batch_prefill_tokens))
    if engine.dtype != "auto":
        yield from ("--dtype", engine.dtype)
    if engine.quantize:
        yield from ("--quantize", engine.quantize)
    if engine.trust_remote_code:
        yield "--trust-remote-code"
    yield from ("--usage-stats", "off")
    yield "--json-output"


def _environment() -> dict[str, str]:
    # The router takes nothing but "1" for true.
    return {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def _graceful(engine: EngineSpec) -> int:
    return math.ceil(engine.drain_deadline)


def _quantize(engine: EngineSpec) -> Iterator[str]:
    if engine.quantize is None:
        return
    if engine.quantize not in QUANTIZE:
        yield f"quantize = {engine.quantize!r}: TGI knows {', '.join(QUANTIZE)}"
    if engine.gpus == 0:
        yield f"quantize = {engine.quantize!r}: needs a GPU, but gpus = 0"
    if engine.dtype != "auto" and not engine.quantize.startswith("bitsandbytes"):
        yield (
            f"dtype = {engine.dtype!r}: TGI refuses it beside quantize = {engine.quantize!r}; "
            "leave dtype at 'auto'"
        )


def _count(metrics: str, sample: str) -> int | None:
    found = exposition.total(metrics, sample)
    found = found if found is not None else _zero(metrics)
    return None if found is None else int(found)


def _zero(metrics: str) -> float | None:
    """Return 0 when TGI wrote `metrics` (an empty text is TGI before its first request)."""
    return 0.0 if not metrics.strip() or exposition.speaks(metrics, "tgi_") else None
