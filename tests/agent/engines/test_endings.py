"""How the engines end. The cases are in `cases_*`: a new marker needs one."""

import re
from collections.abc import Sequence

import pytest

from agent.engines import ENGINES, sglang_tables, tgi_tables, vllm_tables
from agent.engines.markers import Marker
from agent.reports import ExitClass
from tests.agent.engines import cases_sglang, cases_tgi, cases_vllm
from tests.agent.engines.cases_shared import EVERYWHERE, SETTINGS, Case
from tests.agent.engines.cases_tgi import record

TABLES: dict[str, Sequence[Marker]] = {
    "tgi": tgi_tables.ENDINGS,
    "vllm": vllm_tables.ENDINGS,
    "sglang": sglang_tables.ENDINGS,
}
OF: dict[str, list[Case]] = {
    "tgi": [
        *cases_tgi.CASES,
        *EVERYWHERE,
        *[(code, record(line), reason, kind) for code, line, reason, kind in EVERYWHERE if line],
    ],
    "vllm": [*cases_vllm.CASES, *SETTINGS, *EVERYWHERE],
    "sglang": [*cases_sglang.CASES, *SETTINGS, *EVERYWHERE],
}


@pytest.mark.parametrize(
    ("engine", "code", "line", "reason", "kind"),
    [(engine, *case) for engine, cases in OF.items() for case in cases],
)
def test_each_ending_is_told_by_its_marker(
    engine: str, code: int, line: str, reason: str, kind: ExitClass
) -> None:
    ending = ENGINES[engine].classify(code, ("before", line, "after"))
    assert (ending.reason, ending.kind) == (reason, kind)
    assert "{" not in ending.message.replace("{'", "")


def test_every_engine_has_cases() -> None:
    assert OF.keys() == TABLES.keys() == ENGINES.keys()


@pytest.mark.parametrize("engine", ENGINES)
def test_no_marker_hides_behind_an_earlier_one(engine: str) -> None:
    """Every marker is the first of its table that some line of the cases meets."""
    reached = {_first(TABLES[engine], line) for _, line, _, _ in OF[engine]}
    assert [marker for marker in TABLES[engine] if marker not in reached] == []


def _first(table: Sequence[Marker], line: str) -> Marker | None:
    return next((marker for marker in table if re.search(marker.pattern, line)), None)


def test_what_the_same_start_cannot_cure_is_not_tried_again() -> None:
    hopeless = {kind for kind in ExitClass if kind.hopeless}
    assert hopeless == {ExitClass.CONFIG, ExitClass.AUTH, ExitClass.PORT}


@pytest.mark.parametrize(
    ("engine", "lines", "reason"),
    [
        (
            "tgi",
            (
                record("torch.OutOfMemoryError: CUDA out of memory."),
                record("Shard 0 failed to start"),
                "Error: ShardCannotStart",
            ),
            "GpuOutOfMemory",
        ),
        (
            "vllm",
            (
                "Total number of attention heads (4) must be divisible by tensor parallel size (3)",
                "RuntimeError: Engine core initialization failed. See root cause above.",
            ),
            "HeadsNotDivisible",
        ),
        (
            "vllm",
            (
                "CUDA error: unspecified launch failure",
                "Engine core proc EngineCore_0 died unexpectedly, shutting down client.",
                "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.",
            ),
            "CudaError",
        ),
        (
            "sglang",
            (
                "[2026-03-15 03:28:30] Scheduler hit an exception: Traceback (most recent call",
                "torch.AcceleratorError: CUDA error: an illegal memory access was encountered",
                "[2026-03-15 03:28:35] Subprocess scheduler_0 (pid=1225) crashed with exit code -3",
                "[2026-03-15 03:28:35] SIGQUIT received. signum=None, frame=None.",
            ),
            "CudaError",
        ),
        (
            "sglang",
            (
                "[2026-03-15 03:28:35] Subprocess scheduler_1 (pid=1225) crashed with exit code -9",
                "[2026-03-15 03:28:35] SIGQUIT received. signum=None, frame=None.",
            ),
            "SchedulerKilled",
        ),
    ],
)
def test_the_cause_wins_over_its_consequence(
    engine: str, lines: tuple[str, ...], reason: str
) -> None:
    assert ENGINES[engine].classify(1, lines).reason == reason


@pytest.mark.parametrize(
    ("engine", "line", "words"),
    [
        ("vllm", "the estimated maximum model length is 6144. Try", "max_total_tokens to 6144"),
        (
            "sglang",
            "Raise --mem-fraction-static above 0.773 (minimum",
            "engine_memory_fraction above 0.773,",
        ),
        ("tgi", "CUDA error: device-side assert triggered", "CUDA error: device-side assert"),
    ],
)
def test_the_sentence_repeats_what_the_engine_found(engine: str, line: str, words: str) -> None:
    assert words in ENGINES[engine].classify(1, (line,)).message


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "line",
    [
        "[rank0]:[W1124 ProcessGroupNCCL.cpp:1250] Warning: destroy_process_group() was not called",
        "INFO Initializing a V1 LLM engine with config: trust_remote_code=True, dtype=bfloat16",
        "INFO vLLM is using nccl==2.31.2",
        "INFO shm_broadcast.py: No available shared memory broadcast block found in 60 seconds",
        "server_args=ServerArgs(model_path='/model', trust_remote_code=True, watchdog_timeout=300, "
        "soft_watchdog_timeout=300, mem_fraction_static=0.86, dist_timeout=None)",
        "Scheduler watchdog timeout (self.watchdog_timeout=300, self.soft=True)",
        "Warning: User-specified context_length (9000) is greater than the derived context_length "
        "(2048). This may lead to incorrect model outputs or CUDA errors.",
        "Health check failed. Server couldn't get a response from detokenizer for last 20 seconds.",
        "The server is fired up and ready to roll!",
        "OSError: [Errno 30] Read-only file system: '/root/.cache/vllm'",
    ],
)
def test_ordinary_lines_are_no_markers(engine: str, line: str) -> None:
    assert ENGINES[engine].classify(77, (line,)).reason == "Crashed"
