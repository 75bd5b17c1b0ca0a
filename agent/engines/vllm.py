"""vLLM 0.33 (and its CPU build 0.32): flags, metrics, endings.

Facts: the 0.33 sources, and runs of the CPU build. Two matter most. When its engine core dies,
the server ends with exit code 0: an ending that nobody asked for is a crash whatever its code.
And a stop can hang for ever with a stream open beyond `--shutdown-timeout`: the variable
VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS is meant to end that, but the CPU build hung all the same (2 of
2), so it is the runner's SIGKILL that bounds every stop.

vLLM has no limit on input alone: `max_total_tokens` bounds input and output together.
"""

from collections.abc import Sequence

from agent.engines import (
    arguments,
    assembly,
    companions,
    exposition,
    markers,
    parallel,
    room,
    steps,
    variables,
    vllm_command,
)
from agent.engines.base import Chat, Container, Ending, Load, one_token
from agent.engines.figures import Figures, Work, figures
from agent.engines.vllm_figures import KV_USE, NAMES, kv_capacity
from agent.engines.vllm_flags import PROGRAM, SPECULATION
from agent.engines.vllm_tables import DIED, ENDINGS
from agent.pace import Patience
from agent.spec import EngineSpec


class Vllm:
    """Adapter of vLLM; satisfies `base.Engine`."""

    kind = "vllm"
    health_path = "/health"
    metrics_path = "/metrics"

    def faults(self, engine: EngineSpec) -> list[str]:
        """Return one sentence for each setting that vLLM cannot honour."""
        return [
            *parallel.faults(engine),
            *companions.faults(engine, SPECULATION),
            *vllm_command.faults(engine),
            *arguments.faults(engine.extra_args, PROGRAM),
            *variables.faults(engine.environment, vllm_command.ENVIRONMENT, PROGRAM),
        ]

    def container(self, engine: EngineSpec, weights: str, gpus: Sequence[str]) -> Container:
        """Render the container; `weights` is a directory of the host, `gpus` are UUIDs."""
        return assembly.container(
            engine,
            weights,
            command=vllm_command.command(engine, parallel.degree(engine, len(gpus))),
            environment=vllm_command.environment(engine),
            port=vllm_command.PORT,
            user=vllm_command.USER,
            directory=room.CACHE,  # images start where only their own user may be
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
        usage = exposition.total(metrics, KV_USE) or 0.0  # 0 to 1 per core
        return steps + usage + (_count(metrics, "vllm:num_requests_waiting") or 0) / 1024

    def work(self, metrics: str) -> Work:
        """Read how full the KV cache of the fullest core is, and the tokens of all."""
        return Work(
            kv_use_ratio=exposition.highest(metrics, KV_USE),
            generated=exposition.total(metrics, NAMES.generated_tokens),
        )

    def figures(self, metrics: str) -> Figures:
        """Read what vLLM has counted, over all of its engine cores."""
        return figures(metrics, NAMES, kv_capacity(metrics))

    def at_once(self, engine: EngineSpec) -> int | None:
        """Return its `--max-num-seqs`, for each copy of the model."""
        most = engine.max_running_requests
        return most * engine.data_parallel if most else None

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
        return one_token(engine.name_served)


def _count(metrics: str, sample: str) -> int | None:
    found = exposition.total(metrics, sample)
    return None if found is None else int(found)
