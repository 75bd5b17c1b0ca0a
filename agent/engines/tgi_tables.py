"""TGI 3.3 as tables: its flags, which of them Stoker owns, and how it ends (all 3.3.x agree)."""

from agent.engines.arguments import NEVER_IN_ARGV
from agent.engines.markers import Marker
from agent.engines.shared_tables import GPU, HOST, NO_ACCESS, PORT, WEIGHTS
from agent.reports import ExitClass

QUANTIZE = (
    "awq",
    "compressed-tensors",
    "eetq",
    "exl2",
    "gptq",
    "marlin",
    "bitsandbytes",
    "bitsandbytes-nf4",
    "bitsandbytes-fp4",
    "fp8",
)

# Flag → what governs it.
OWNED = {
    "--model-id": "engine_model (weights are mounted, no Hub is asked)",
    "--revision": "engine_revision (weights are mounted at that commit)",
    "--num-shard": "engine_gpus",
    "--sharded": "engine_gpus",
    "--hostname": "engine_port (published on loopback)",
    "--port": "engine_port",
    "-p": "engine_port",
    "--prometheus-port": "engine_port (metrics are served there too)",
    "--max-input-tokens": "engine_max_input_tokens",
    "--max-input-length": "engine_max_input_tokens",
    "--max-total-tokens": "engine_max_total_tokens",
    "--max-concurrent-requests": "engine_max_concurrent_requests",
    "--max-batch-prefill-tokens": "engine_max_batch_prefill_tokens",
    "--graceful-termination-timeout": "engine_drain_deadline",
    "-g": "engine_drain_deadline",
    "--dtype": "engine_dtype",
    "--quantize": "engine_quantize",
    "--trust-remote-code": "engine_trust_remote_code",
    "--usage-stats": "a fixed 'off'",
    "--json-output": "a fixed 'on'",
}

# Flag → what would be right.
WRONG = {
    "--disable-flash-attention": "no such flag; set USE_FLASH_ATTENTION='false' in environment",
    "--draft-model-id": "no such flag: TGI has no draft models; use --speculate N",
    "--gpu-memory-utilization": "that is vLLM's; TGI has --cuda-memory-fraction",
    "--tensor-parallel-size": "that is vLLM's; Stoker shards over engine_gpus",
    "--max-model-len": "that is vLLM's; set engine_max_total_tokens",
    "--served-model-name": "that is vLLM's; TGI answers to any model name",
    "--api-key": NEVER_IN_ARGV,
    "--ngrok-authtoken": NEVER_IN_ARGV,
    "--ngrok": "TGI's router panics on it; the gateway is the way in",
    "--huggingface-hub-cache": "weights are mounted; TGI needs no cache of the Hub",
}

_FLAGS = """
--model-id --revision --validation-workers --sharded --num-shard --quantize --speculate
--dtype --kv-cache-dtype --trust-remote-code --max-concurrent-requests --max-best-of
--max-stop-sequences --max-top-n-tokens --max-input-tokens --max-input-length
--max-total-tokens --waiting-served-ratio --max-batch-prefill-tokens
--max-batch-total-tokens --max-waiting-tokens --max-batch-size --cuda-graphs --hostname
--port --prometheus-port --shard-uds-path --master-addr --master-port
--huggingface-hub-cache --weights-cache-override --disable-custom-kernels
--cuda-memory-fraction --rope-scaling --rope-factor --json-output --otlp-endpoint
--otlp-service-name --cors-allow-origin --api-key --watermark-gamma --watermark-delta
--ngrok --ngrok-authtoken --ngrok-edge --tokenizer-config-path
--disable-grammar-support --env --max-client-batch-size --lora-adapters --usage-stats
--payload-limit --enable-prefill-logprobs --graceful-termination-timeout
"""
KNOWN = frozenset(_FLAGS.split())

ENDINGS = (
    Marker(
        "BadFlag",
        ExitClass.CONFIG,
        r"error: (?P<what>(unexpected argument|invalid value|a value is required|"
        r"the following required|the argument)[^\n]{0,160})",
        "TGI refused its command line: {what}",
    ),
    Marker(
        "BadArgument",
        ExitClass.CONFIG,
        r"ArgumentValidation\(\\?\"?(?P<what>[^\n\"]{1,200})",
        "TGI refused its settings: {what}",
    ),
    Marker(
        "TooFewGpus",
        ExitClass.CONFIG,
        r"NotEnoughCUDADevices",
        "TGI found fewer GPUs than engine_gpus asks for",
    ),
    Marker(
        "HeadsNotDivisible",
        ExitClass.CONFIG,
        r"must be divisible by `?num_shards`?",
        "the model's attention heads cannot be split over engine_gpus; use 1, 2, 4 or 8 that "
        "divides both its heads and its key-value heads",
    ),
    Marker(
        "NotEnoughMemory",
        ExitClass.CONFIG,
        r"Not enough memory to handle|NotEnoughMemory",
        "the KV cache does not hold one request: lower engine_max_total_tokens or "
        "engine_max_batch_prefill_tokens, or give the engine more gpus",
    ),
    Marker(
        "UnsupportedModel",
        ExitClass.CONFIG,
        r"Unsupported model type (?P<what>\S{1,60})",
        "TGI does not support this kind of model ({what}); try kind 'vllm'",
    ),
    Marker(
        "UnsupportedSetting",
        ExitClass.CONFIG,
        r"sharded is not supported|Sharded .{0,40} requires Flash Attention|"
        r"quantization is not (available|supported)|is only available on GPU",
        "TGI cannot run this model in this way: set engine_gpus to 1 or leave engine_quantize out",
    ),
    Marker(
        "TokenizerMissing",
        ExitClass.CONFIG,
        r"Unable to load tokenizer",
        "TGI could not load the model's tokenizer, or not write into its working directory",
    ),
    *NO_ACCESS,
    Marker(
        "HubUnreachable",
        ExitClass.NETWORK,
        r"(Download encountered an error|DownloadError).{0,400}"
        r"(ConnectionError|Max retries exceeded|timed out|5\d\d Server Error)|"
        r"5\d\d Server Error|Max retries exceeded with url",
        "TGI asked the Hub for something and did not reach it",
    ),
    *WEIGHTS,
    *PORT,
    *HOST,
    Marker(
        "SharedMemoryTooSmall",
        ExitClass.CRASH,
        r"signaled to shutdown with signal 7",
        "a shard died of SIGBUS: raise engine_shm_gib",
    ),
    *GPU,
    Marker(
        "ShardKilled",
        ExitClass.CRASH,
        r"signaled to shutdown with signal 9",
        "a shard was killed (SIGKILL): most likely the host ran out of memory",
    ),
    Marker(
        "ShardSignalled",
        ExitClass.CRASH,
        r"signaled to shutdown with signal (?P<what>\d+)",
        "a shard was ended by signal {what}",
    ),
    Marker(
        "DownloadFailed",
        ExitClass.CRASH,
        r"Download encountered an error|DownloadError",
        "TGI's preparation of the weights failed",
    ),
    Marker(
        "ShardCannotStart",
        ExitClass.CRASH,
        r"ShardCannotStart|Shard \d+ failed to start",
        "a shard failed to start",
    ),
    Marker(
        "ShardFailed",
        ExitClass.CRASH,
        r"ShardFailed|Shard \d+ crashed",
        "a shard died while serving",
    ),
    Marker(
        "Panicked",
        ExitClass.CRASH,
        r"panicked at (?P<what>[^\n\"\\]{1,120})",
        "TGI panicked at {what}",
    ),
    Marker(
        "WebserverFailed",
        ExitClass.CRASH,
        r"WebserverFailed|WebserverCannotStart|Webserver Crashed",
        "TGI's router ended",
    ),
)
