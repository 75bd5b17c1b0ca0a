"""How SGLang 0.5 ends, as a table of markers."""

from agent.engines.base import Ending
from agent.engines.markers import Marker
from agent.engines.shared_tables import GPU, HOST, NO_ACCESS, PORT, SETTINGS, WEIGHTS
from agent.reports import ExitClass

# Exit code 0 that nobody asked for, without a marker: how SGLang ends where it cannot kill itself.
DIED = Ending(
    kind=ExitClass.CRASH,
    reason="EngineDied",
    message="a process of SGLang died, and SGLang ended itself",
)

# A scheduler (there is one a GPU) that a signal ended, as the parent tells it.
_SIGNALLED = r"(crashed with exit code|Exit code:) -"

ENDINGS = (
    Marker(
        "HeadsNotDivisible",
        ExitClass.CONFIG,
        # The assertion has no text: what shows is the line of source in the traceback.
        r"assert .{0,60}num_(attention_|kv_)?heads.{0,20} % |assert \w+ % self\.total_num_kv_heads",
        "the model's attention heads cannot be split over engine_gpus; use 1, 2, 4 or 8 that "
        "divides both its heads and its key-value heads",
    ),
    Marker(
        "ContextTooLong",
        ExitClass.CONFIG,
        # Without the last words it is but a warning, to him who allowed it.
        r"context_length \((?P<asked>\d+)\) is greater than the derived context_length "
        r"\((?P<what>\d+)\).{0,300}To allow overriding",
        "engine_max_total_tokens = {asked} is more than the model's own limit ({what})",
    ),
    Marker(
        "NoKvRoom",
        ExitClass.CONFIG,
        r"Raise --mem-fraction-static above (?P<fits>[\d.]+\d)",
        "no memory is left for the KV cache: set engine_memory_fraction above {fits}, "
        "quantize, or give the engine more gpus",
    ),
    Marker(
        "NoKvRoom",
        ExitClass.CONFIG,
        r"Not enough memory.{0,4}Please try to increase --mem-fraction-static",
        "no memory is left for the KV cache: raise engine_memory_fraction, "
        "quantize, or give the engine more gpus",
    ),
    *SETTINGS,
    *NO_ACCESS,
    *WEIGHTS,
    *PORT,
    *HOST,
    Marker(
        "GpuMemoryHeld",
        ExitClass.MEMORY,
        r"memory capacity is unbalanced",
        "another process holds memory on some of the GPUs",
    ),
    Marker(
        "WarmupOutOfMemory",
        ExitClass.MEMORY,
        r"Capture [\w ]*graph failed: .{0,80}out of memory",
        "out of GPU memory while capturing graphs, after the KV cache had been sized: lower "
        "engine_memory_fraction",
    ),
    Marker(
        "PoolExhausted",
        ExitClass.MEMORY,
        r"runs out of memory\. Please set a smaller|(Prefill|Decode) out of memory\. Try to lower",
        "the KV cache ran full in a way that SGLang does not survive: lower "
        "engine_max_concurrent_requests or engine_max_total_tokens",
    ),
    *GPU,
    Marker(
        "SharedMemoryTooSmall",
        ExitClass.CRASH,
        _SIGNALLED + r"7\b",
        "a scheduler died of SIGBUS: raise engine_shm_gib",
    ),
    Marker(
        "SchedulerKilled",
        ExitClass.CRASH,
        _SIGNALLED + r"9\b",
        "a scheduler was killed (SIGKILL): most likely the host ran out of memory",
    ),
    Marker(
        "WorkerHung",
        ExitClass.GPU,
        r"(?i:watchdog timeout) \((?!.*soft=True)",
        "SGLang's own watchdog saw no step for too long: a GPU or the link between GPUs hangs",
    ),
    Marker(
        "GraphCaptureFailed",
        ExitClass.CRASH,
        r"Capture [\w ]*graph failed",
        "SGLang could not capture its graphs; the cause stands above in the log",
    ),
    Marker(
        "SchedulerFailed",
        ExitClass.CRASH,
        r"Scheduler hit an exception",
        "a scheduler of SGLang failed; the cause stands below in the log",
    ),
    Marker(
        "SchedulerSignalled",
        ExitClass.CRASH,
        _SIGNALLED + r"(?P<what>\d+)",
        "a scheduler was ended by signal {what}",
    ),
    Marker(
        "WarmupFailed",
        ExitClass.CRASH,
        r"Initialization failed\. warmup error",
        "SGLang did not answer its own first request",
    ),
    Marker(
        "EngineStartFailed",
        ExitClass.CRASH,
        r"Initialization failed\. Please see|scheduler is dead\. Please check",
        "SGLang failed to start; the cause stands above in the log",
    ),
    Marker(
        "EngineDied",
        ExitClass.CRASH,
        r"It usually means (one|the) child failed|SIGQUIT received\.|crashed with exit code \d",
        "a process of SGLang died, and SGLang ended itself",
    ),
)
