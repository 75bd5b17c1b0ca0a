"""How vLLM 0.33 ends, as a table of markers."""

from agent.engines.base import Ending
from agent.engines.markers import Marker
from agent.engines.shared_tables import GPU, HOST, NO_ACCESS, PORT, SETTINGS, WEIGHTS
from agent.reports import ExitClass

# Exit code 0 that nobody asked for, without a marker.
DIED = Ending(
    kind=ExitClass.CRASH,
    reason="EngineDied",
    message="vLLM's engine core died; the server then ends with exit code 0",
)

ENDINGS = (
    Marker(
        "ContextTooLong",
        ExitClass.CONFIG,
        r"User-specified max_model_len \((?P<asked>\d+)\) is greater than the derived "
        r"max_model_len \((?P<what>[^)\n]{1,120})",
        "engine_max_total_tokens = {asked} is more than the model's own limit ({what})",
    ),
    Marker(
        "NoKvRoom",
        ExitClass.CONFIG,
        r"estimated maximum model length is (?P<fits>\d+)",
        "the KV cache does not hold one request: lower engine_max_total_tokens to {fits}, or "
        "give the engine more gpus",
    ),
    Marker(
        "NoKvRoom",
        ExitClass.CONFIG,
        r"No available memory for the cache blocks|larger than the available KV cache memory",
        "no memory is left for the KV cache: quantize, or give the engine more gpus",
    ),
    *SETTINGS,
    *NO_ACCESS,
    *WEIGHTS,
    *PORT,
    *HOST,
    Marker(
        "GpuMemoryHeld",
        ExitClass.MEMORY,
        r"\((?P<what>[^()\n]{1,60} GiB)\) on startup is less than desired",
        "another process holds memory: of what vLLM wants, {what} were free at start",
    ),
    Marker(
        "GpuMemoryMoved",
        ExitClass.MEMORY,
        r"Error in memory profiling",
        "GPU memory was freed by another process while vLLM measured it",
    ),
    Marker(
        "WarmupOutOfMemory",
        ExitClass.MEMORY,
        r"CUDA out of memory occurred when warming up",
        "out of GPU memory while warming up, after the KV cache had been sized: lower "
        "engine_max_running_requests or engine_memory_fraction",
    ),
    *GPU,
    Marker(
        "WorkerHung",
        ExitClass.GPU,
        r"RPC call to \w+ timed out",
        "a worker did not answer in time: a GPU or the link between GPUs hangs",
    ),
    Marker(
        "BadSetting",
        ExitClass.CONFIG,
        r"\d+ validation errors? for (?P<what>\w+Config)",
        "vLLM refused its settings ({what}): the line below it in the log says which",
    ),
    Marker(
        "Terminated",
        ExitClass.CRASH,
        r"KeyboardInterrupt: terminated",
        "vLLM was told to stop by somebody other than Stoker, while it started",
    ),
    Marker(
        "EngineStartFailed",
        ExitClass.CRASH,
        r"Engine core initialization failed|EngineCore failed to start",
        "vLLM's engine core failed to start; the cause stands above in the log",
    ),
    Marker(
        "EngineDied",
        ExitClass.CRASH,
        r"EngineDeadError|EngineCore encountered a fatal error|Engine core proc \S+ died|"
        r"died unexpectedly",
        "vLLM's engine core died; the server then ends with exit code 0",
    ),
)
