"""SGLang 0.5.23: flags, metrics, endings.

Facts: the 0.5.23 sources. Three matter most. Its scheduler writes the numbers of running and
queued requests only at a prefill, at every 40th decode step, and up to 30 s after the last one;
`http_requests_active` alone moves at once, and counts a stream until its last byte. `/health`
generates a token, so it takes a second or twenty, unless a variable makes it tell a state only.
And SIGTERM waits without limit for requests in flight: the deadline is ours.

SGLang has no limit on input alone: `max_total_tokens` bounds input and output together. It counts
running and waiting requests apart, so `max_concurrent_requests` bounds each of the two.
"""

import math
from collections.abc import Sequence

from agent.engines import (
    arguments,
    assembly,
    companions,
    exposition,
    markers,
    parallel,
    sglang_command,
    sglang_lacks,
    steps,
    variables,
)
from agent.engines.base import Chat, Container, Ending, Load, one_token
from agent.engines.figures import Figures, Work, figures
from agent.engines.sglang_figures import DECODED, KV_CAPACITY, KV_USE, NAMES
from agent.engines.sglang_flags import BITSANDBYTES, PROGRAM, SPECULATION
from agent.engines.sglang_tables import DIED, ENDINGS
from agent.pace import Patience
from agent.spec import EngineSpec

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
        program = BITSANDBYTES if engine.quantize == "bitsandbytes" else PROGRAM
        return [
            *parallel.faults(engine),
            *companions.faults(engine, SPECULATION),
            *sglang_lacks.faults(engine),
            *arguments.faults(engine.extra_args, program),
            *variables.faults(engine.environment, sglang_command.ENVIRONMENT, program),
        ]

    def container(self, engine: EngineSpec, weights: str, gpus: Sequence[str]) -> Container:
        """Render the container; `weights` is a directory of the host, `gpus` are UUIDs."""
        return assembly.container(
            engine,
            weights,
            command=sglang_command.command(engine, parallel.degree(engine, len(gpus))),
            environment=sglang_command.ENVIRONMENT,
            port=sglang_command.PORT,
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

    def work(self, metrics: str) -> Work:
        """Read how full the fullest pool is, and the tokens that its scheduler tells of at once."""
        live = _of_scheduler(metrics, DECODED, mode="decode")
        ended = exposition.total(metrics, NAMES.generated_tokens)
        return Work(
            kv_use_ratio=exposition.highest(metrics, KV_USE),
            generated=ended if live is None else live,
        )

    def figures(self, metrics: str) -> Figures:
        """Read what SGLang has counted."""
        return figures(metrics, NAMES, _of_scheduler(metrics, KV_CAPACITY))

    def at_once(self, engine: EngineSpec) -> int | None:
        """Return its `--max-running-requests`, for each copy of the model."""
        most = engine.max_running_requests or engine.max_concurrent_requests
        return most * engine.data_parallel

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
        return one_token(engine.name_served)


def _of_scheduler(metrics: str, gauge: str, **labels: str) -> int | None:
    """Add the replicas (`dp_rank`) up; all ranks of one replica tell of the same requests.

    The highest of them counts: with priorities on, the total stands beside its parts, too.
    """
    highest: dict[str, float] = {}
    for one in exposition.series(metrics, gauge):
        if not labels.items() <= one.labels.items() or not math.isfinite(one.value):
            continue
        replica = one.labels.get("dp_rank", "")
        highest[replica] = max(one.value, highest.get(replica, 0.0))
    return int(sum(highest.values())) if highest else None
