"""SGLang 0.5 as tables: flags that Stoker owns, well-known mistakes, and how it ends."""

from agent.engines.arguments import NEVER_IN_ARGV
from agent.engines.base import Ending
from agent.engines.markers import Marker
from agent.engines.shared_tables import GPU, HOST, NO_ACCESS, PORT, SETTINGS, WEIGHTS
from agent.reports import ExitClass

# Value that other engines take → what SGLang wants.
QUANTIZE = {
    "eetq": "SGLang has no EETQ; use 'fp8', or kind 'tgi'",
    "exl2": "SGLang has no EXL2; use a GPTQ or AWQ checkpoint, or kind 'tgi'",
    "marlin": "a checkpoint that Marlin can run is found by itself; leave quantize out",
    "bitsandbytes-nf4": "SGLang has 'bitsandbytes' only; use an AWQ checkpoint",
    "bitsandbytes-fp4": "SGLang has 'bitsandbytes' only; use an AWQ checkpoint",
    "fp8_per_tensor": "that is vLLM's; SGLang has 'fp8'",
    "fp8_per_block": "that is vLLM's; SGLang has 'fp8'",
    "fp8_per_channel": "that is vLLM's; SGLang has 'fp8'",
    "gguf": "weights are mounted as a directory of safetensors; use the safetensors checkpoint",
}

# Flag → what governs it.
OWNED = {
    "--model-path": "engine_model (weights are mounted, no Hub is asked)",
    "--model": "engine_model (weights are mounted, no Hub is asked)",
    "--revision": "engine_revision (weights are mounted at that commit)",
    "--served-model-name": "engine_served_name",
    "--host": "engine_port (published on loopback)",
    "--port": "engine_port",
    "--tp-size": "engine_gpus",
    "--tp": "engine_gpus",
    "--tensor-parallel-size": "engine_gpus",
    "--context-length": "engine_max_total_tokens",
    "--max-running-requests": "engine_max_concurrent_requests",
    "--max-queued-requests": "engine_max_concurrent_requests",
    "--chunked-prefill-size": "engine_max_batch_prefill_tokens",
    "--dtype": "engine_dtype",
    "--quantization": "engine_quantize",
    "--trust-remote-code": "engine_trust_remote_code",
    "--uvicorn-access-log-exclude-prefixes": "a fixed '/health /metrics'",
    "--enable-metrics": "a fixed 'on'",
}

# Flag → what would be right.
WRONG = {
    "--api-key": NEVER_IN_ARGV,
    "--admin-api-key": NEVER_IN_ARGV,
    "--hf-token": NEVER_IN_ARGV,
    "--cuda-memory-fraction": "that is TGI's; SGLang has --mem-fraction-static",
    "--gpu-memory-utilization": "that is vLLM's; SGLang has --mem-fraction-static",
    "--num-shard": "that is TGI's; Stoker shards over engine_gpus",
    "--max-model-len": "that is vLLM's; set engine_max_total_tokens",
    "--max-total-tokens": "SGLang means the size of its KV cache, not of a request, for which "
    "engine_max_total_tokens is; use --mem-fraction-static",
    "--max-input-tokens": "that is TGI's; SGLang bounds both by engine_max_total_tokens",
    "--max-input-length": "that is TGI's; SGLang bounds both by engine_max_total_tokens",
    "--max-num-seqs": "that is vLLM's; set engine_max_concurrent_requests",
    "--max-num-batched-tokens": "that is vLLM's; set engine_max_batch_prefill_tokens",
    "--enforce-eager": "that is vLLM's; SGLang has --cuda-graph-backend-decode=disabled",
    "--speculate": "that is TGI's; SGLang has --speculative-algorithm NGRAM",
    "--speculative-config": "that is vLLM's; SGLang has --speculative-algorithm",
    "--download-dir": "weights are mounted; SGLang downloads nothing",
    "--ssl-keyfile": "the gateway speaks TLS; the engine listens on loopback",
    "--ssl-certfile": "the gateway speaks TLS; the engine listens on loopback",
    "--nnodes": "an engine lives on one host",
}

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
        "no memory is left for the KV cache: set --mem-fraction-static above {fits} in "
        "extra_args, quantize, or give the engine more gpus",
    ),
    Marker(
        "NoKvRoom",
        ExitClass.CONFIG,
        r"Not enough memory.{0,4}Please try to increase --mem-fraction-static",
        "no memory is left for the KV cache: set a higher --mem-fraction-static in extra_args, "
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
        "out of GPU memory while capturing graphs, after the KV cache had been sized: give a "
        "lower --mem-fraction-static in extra_args",
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
