"""How SGLang ends: exit code, a line of its log, and what they must mean."""

from agent.reports import ExitClass
from tests.agent.engines.cases_shared import Case

C = ExitClass

CASES: list[Case] = [
    (137, "    assert self.total_num_heads % tp_size == 0", "HeadsNotDivisible", C.CONFIG),
    (137, "    assert tp_size % self.total_num_kv_heads == 0", "HeadsNotDivisible", C.CONFIG),
    (
        1,
        "ValueError: Warning: User-specified context_length (9000) is greater than the derived "
        "context_length (2048). This may lead to incorrect model outputs or CUDA errors. To allow "
        "overriding this maximum, set the env var SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1",
        "ContextTooLong",
        C.CONFIG,
    ),
    (
        137,
        "ValueError: Loaded weights leave no GPU memory for the KV cache under "
        "--mem-fraction-static=0.7. Raise --mem-fraction-static above 0.773 (minimum viable = 1 - "
        "available/pre = 0.7729).",
        "NoKvRoom",
        C.CONFIG,
    ),
    (
        137,
        "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static.",
        "NoKvRoom",
        C.CONFIG,
    ),
    (
        137,
        "ValueError: The memory capacity is unbalanced. Some GPUs may be occupied by other "
        "processes. pre_model_load_memory=71.1, local_gpu_memory=78.6",
        "GpuMemoryHeld",
        C.MEMORY,
    ),
    (
        137,
        "Exception: Capture cuda graph failed: CUDA out of memory. Tried to allocate 512.00 MiB",
        "WarmupOutOfMemory",
        C.MEMORY,
    ),
    (
        137,
        "RuntimeError: alloc_req_slots runs out of memory. Please set a smaller number for "
        "`--max-running-requests`. self.req_to_token_pool.available_size()=1, num_reqs=2,",
        "PoolExhausted",
        C.MEMORY,
    ),
    (137, "Prefill out of memory. Try to lower your batch size.", "PoolExhausted", C.MEMORY),
    (1, "RuntimeError: SGLang only supports sm75 and above.", "GpuUnsupported", C.CONFIG),
    (
        137,
        "[2026-05-06 19:12:07] Subprocess scheduler_3 (pid=22856) crashed with exit code -7.",
        "SharedMemoryTooSmall",
        C.CRASH,
    ),
    (
        137,
        "[2026-05-06 19:12:07] Subprocess scheduler_3 (pid=22856) crashed with exit code -9.",
        "SchedulerKilled",
        C.CRASH,
    ),
    (1, "[2026-05-06 19:12:07] Exit code: -9", "SchedulerKilled", C.CRASH),
    (
        137,
        "[2026-05-06 19:12:07] Subprocess scheduler_3 (pid=22856) crashed with exit code -6.",
        "SchedulerSignalled",
        C.CRASH,
    ),
    (
        137,
        "Scheduler watchdog timeout (self.watchdog_timeout=300, self.soft=False)",
        "WorkerHung",
        C.GPU,
    ),
    (137, "Capture cuda graph failed: list index out of range", "GraphCaptureFailed", C.CRASH),
    (137, "Scheduler hit an exception: Traceback (most recent", "SchedulerFailed", C.CRASH),
    (137, "Initialization failed. warmup error: Traceback (most", "WarmupFailed", C.CRASH),
    (1, "RuntimeError: Initialization failed. Please see the", "EngineStartFailed", C.CRASH),
    (1, "Rank 0 scheduler is dead. Please check if there are", "EngineStartFailed", C.CRASH),
    (
        137,
        "SIGQUIT received. signum=None, frame=None. It usually means one child failed.",
        "EngineDied",
        C.CRASH,
    ),
    (
        137,
        "Received sigquit from a child process. It usually means the child failed.",
        "EngineDied",
        C.CRASH,
    ),
    (0, "", "EngineDied", C.CRASH),
]
