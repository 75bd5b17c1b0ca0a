"""How vLLM ends: exit code, a line of its log, and what they must mean."""

from agent.reports import ExitClass
from tests.agent.engines.cases_shared import Case

C = ExitClass

CASES: list[Case] = [
    (
        1,
        "Total number of attention heads (4) must be divisible by tensor parallel size (3).",
        "HeadsNotDivisible",
        C.CONFIG,
    ),
    (
        1,
        "User-specified max_model_len (9000) is greater than the derived max_model_len "
        "(max_position_embeddings=2048 or model_max_length=None in model's config.json).",
        "ContextTooLong",
        C.CONFIG,
    ),
    (1, "the estimated maximum model length is 6144. Try", "NoKvRoom", C.CONFIG),
    (1, "ValueError: No available memory for the cache blocks. Try", "NoKvRoom", C.CONFIG),
    (
        1,
        "Free memory on device cuda:0 (3.1/79.2 GiB) on startup is less than desired GPU memory",
        "GpuMemoryHeld",
        C.MEMORY,
    ),
    (
        1,
        "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy "
        "requests. Please try lowering `max_num_seqs`",
        "WarmupOutOfMemory",
        C.MEMORY,
    ),
    (
        1,
        "ValueError: To serve at least one request with the model's max seq len (8192), (1.0 GiB "
        "KV cache is needed, which is larger than the available KV cache memory (0.5 GiB).",
        "NoKvRoom",
        C.CONFIG,
    ),
    (1, "AssertionError: Error in memory profiling. Initial free", "GpuMemoryMoved", C.MEMORY),
    (
        1,
        "ValueError: World size (4) is larger than the number of available GPUs (2) in this node",
        "NoGpu",
        C.GPU,
    ),
    (0, "TimeoutError: RPC call to execute_model timed out.", "WorkerHung", C.GPU),
    (
        1,
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig",
        "BadSetting",
        C.CONFIG,
    ),
    (1, "KeyboardInterrupt: terminated", "Terminated", C.CRASH),
    (1, "RuntimeError: Engine core initialization failed. See", "EngineStartFailed", C.CRASH),
    (0, "vllm.v1.engine.exceptions.EngineDeadError: EngineCore enc", "EngineDied", C.CRASH),
    (0, "Engine core proc EngineCore_0 died unexpectedly, shutting down", "EngineDied", C.CRASH),
    (0, "", "EngineDied", C.CRASH),
]
