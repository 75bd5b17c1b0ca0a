"""How TGI ends, as a table of markers (all 3.3.x agree)."""

from agent.engines.markers import Marker
from agent.engines.shared_tables import GPU, HOST, NO_ACCESS, PORT, WEIGHTS
from agent.reports import ExitClass

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
