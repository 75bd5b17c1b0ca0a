"""vLLM 0.33 as tables: flags that Stoker owns, well-known mistakes, and how it ends."""

from agent.engines.arguments import NEVER_IN_ARGV
from agent.engines.base import Ending
from agent.engines.markers import Marker
from agent.engines.shared_tables import GPU, HOST, NO_ACCESS, PORT, SETTINGS, WEIGHTS
from agent.reports import ExitClass

# Value that other engines take → what vLLM wants.
QUANTIZE = {
    "eetq": "vLLM has no EETQ; use 'fp8_per_tensor', or kind 'tgi'",
    "exl2": "vLLM has no EXL2; use a GPTQ or AWQ checkpoint, or kind 'tgi'",
    "bitsandbytes": "needs a plugin that vLLM's image lacks; use 'fp8_per_tensor'",
    "bitsandbytes-nf4": "needs a plugin that vLLM's image lacks; use an AWQ checkpoint",
    "bitsandbytes-fp4": "needs a plugin that vLLM's image lacks; use an AWQ checkpoint",
    "gguf": "needs a plugin that vLLM's image lacks; use the safetensors checkpoint",
}

# Flag → what governs it.
OWNED = {
    "--model": "engine_model (weights are mounted, no Hub is asked)",
    "--revision": "engine_revision (weights are mounted at that commit)",
    "--served-model-name": "engine_served_name",
    "--host": "engine_port (published on loopback)",
    "--port": "engine_port",
    "--uds": "engine_port",
    "--tensor-parallel-size": "engine_gpus",
    "-tp": "engine_gpus",
    "--max-model-len": "engine_max_total_tokens",
    "--max-num-queued-reqs": "engine_max_concurrent_requests",
    "--max-num-batched-tokens": "engine_max_batch_prefill_tokens",
    "--shutdown-timeout": "engine_drain_deadline",
    "--dtype": "engine_dtype",
    "--quantization": "engine_quantize",
    "-q": "engine_quantize",
    "--trust-remote-code": "engine_trust_remote_code",
    "--enable-server-load-tracking": "a fixed 'on'",
    "--disable-access-log-for-endpoints": "a fixed '/health,/metrics'",
}

# Flag → what would be right.
WRONG = {
    "--api-key": NEVER_IN_ARGV,
    "--hf-token": NEVER_IN_ARGV,
    "--cuda-memory-fraction": "that is TGI's; vLLM has --gpu-memory-utilization",
    "--num-shard": "that is TGI's; Stoker shards over engine_gpus",
    "--max-total-tokens": "that is TGI's; set engine_max_total_tokens",
    "--max-input-tokens": "that is TGI's; vLLM bounds input and output by engine_max_total_tokens",
    "--max-input-length": "that is TGI's; vLLM bounds input and output by engine_max_total_tokens",
    "--speculate": 'that is TGI\'s; vLLM has --speculative-config \'{"method": "ngram", …}\'',
    "--disable-log-stats": "it empties the metrics by which Stoker sees load and progress",
    "--download-dir": "weights are mounted; vLLM downloads nothing",
    "--ssl-keyfile": "the gateway speaks TLS; the engine listens on loopback",
    "--ssl-certfile": "the gateway speaks TLS; the engine listens on loopback",
    "--root-path": "the gateway expects the API at /",
    "--enable-fault-tolerance": "Stoker restarts the engine",
}

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
        "out of GPU memory while warming up, after the KV cache had been sized: give a lower "
        "--max-num-seqs or --gpu-memory-utilization in extra_args",
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
