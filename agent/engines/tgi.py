"""Text Generation Inference 3.3: flags, metrics, endings.

Facts (flags, exit codes, markers): the launcher, router and server sources at 3.3.7. TGI serves
one model and answers to any model name, so `served_name` needs no flag. `/metrics` counters
appear with their first increment: an absent one is 0.
"""

from collections.abc import Sequence

from agent.engines import (
    arguments,
    assembly,
    companions,
    exposition,
    markers,
    parallel,
    tgi_command,
    tgi_lacks,
    variables,
)
from agent.engines.base import Chat, Container, Ending, Load, one_token
from agent.engines.figures import Figures, Work, figures
from agent.engines.tgi_figures import NAMES
from agent.engines.tgi_flags import PROGRAM, SPECULATION
from agent.engines.tgi_tables import ENDINGS
from agent.pace import Patience
from agent.spec import EngineSpec

MOST = "tgi_batch_max_total_tokens"  # 3.3.7 sets it before anybody can record it


class Tgi:
    """Adapter of TGI; satisfies `base.Engine`."""

    kind = "tgi"
    health_path = "/health"
    metrics_path = "/metrics"

    def faults(self, engine: EngineSpec) -> list[str]:
        """Return one sentence for each setting that TGI cannot honour."""
        return [
            *parallel.faults(engine),
            *companions.faults(engine, SPECULATION),
            *tgi_lacks.faults(engine),
            *arguments.faults(engine.extra_args, PROGRAM),
            *(
                f"extra_args: {argument!r}: TGI's image splits arguments at spaces; use the "
                "variable of that flag in environment"
                for argument in engine.extra_args
                if any(character.isspace() for character in argument)
            ),
            *variables.faults(engine.environment, tgi_command.environment(engine), PROGRAM),
        ]

    def container(self, engine: EngineSpec, weights: str, gpus: Sequence[str]) -> Container:
        """Render the container; `weights` is a directory of the host, `gpus` are UUIDs."""
        return assembly.container(
            engine,
            weights,
            command=tgi_command.command(engine, parallel.degree(engine, len(gpus))),
            environment=tgi_command.environment(engine),
            port=tgi_command.PORT,
            scratch=tgi_command.SCRATCH,
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

    def work(self, metrics: str) -> Work:
        """Read the share of the tokens that a batch may reserve, where TGI tells the most."""
        used = exposition.total(metrics, "tgi_batch_current_max_tokens")
        most = exposition.total(metrics, MOST)
        ratio = used / most if used is not None and most else None
        return Work(kv_use_ratio=ratio, generated=exposition.total(metrics, NAMES.generated_tokens))

    def figures(self, metrics: str) -> Figures:
        """Read what TGI has counted, each thing since it has first happened."""
        return figures(metrics, NAMES, exposition.total(metrics, MOST))

    def at_once(self, engine: EngineSpec) -> int | None:
        """Return how many it lets in: a batch is bounded by its tokens, which TGI measures."""
        return engine.max_concurrent_requests

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
        return 2 * tgi_command.graceful(engine) + 15

    def chat(self, engine: EngineSpec) -> Chat:  # noqa: ARG002 - any other name is an adapter id
        """Return a one-token chat completion."""
        return one_token("tgi")


def _count(metrics: str, sample: str) -> int | None:
    found = exposition.total(metrics, sample)
    found = found if found is not None else _zero(metrics)
    return None if found is None else int(found)


def _zero(metrics: str) -> float | None:
    """Return 0 when TGI wrote `metrics` (an empty text is TGI before its first request)."""
    return 0.0 if not metrics.strip() or exposition.speaks(metrics, "tgi_") else None
