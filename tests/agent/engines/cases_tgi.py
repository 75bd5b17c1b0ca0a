"""How TGI ends: exit code, a line of its log, and what they must mean."""

from agent.reports import ExitClass
from tests.agent.engines.cases_shared import Case

C = ExitClass


def record(message: str) -> str:
    """A line of TGI's launcher with --json-output."""
    escaped = message.replace('"', '\\"').replace("\n", "\\n")
    return f'{{"level":"ERROR","fields":{{"message":"{escaped}"}},"target":"text_generation"}}'


CASES: list[Case] = [
    (2, "error: unexpected argument '--draft-model-id' found", "BadFlag", C.CONFIG),
    (2, "error: invalid value 'x' for '--port <PORT>': invalid digit", "BadFlag", C.CONFIG),
    (1, 'Error: ArgumentValidation("`sharded` is true but")', "BadArgument", C.CONFIG),
    (1, 'Error: NotEnoughCUDADevices("...")', "TooFewGpus", C.CONFIG),
    (
        1,
        record("ValueError: `num_heads` must be divisible by `num_shards` (got 3)"),
        "HeadsNotDivisible",
        C.CONFIG,
    ),
    (
        1,
        record("Not enough memory to handle 9000 total tokens."),
        "NotEnoughMemory",
        C.CONFIG,
    ),
    (1, record("ValueError: Unsupported model type bark"), "UnsupportedModel", C.CONFIG),
    (
        1,
        record("NotImplementedError: fp8 quantization is not supported on CPU"),
        "UnsupportedSetting",
        C.CONFIG,
    ),
    (1, "Unable to load tokenizer from /model", "TokenizerMissing", C.CONFIG),
    (
        1,
        record("Download encountered an error: \n403 Client Error: Forbidden"),
        "HubRefused",
        C.AUTH,
    ),
    (
        1,
        record("Download encountered an error: \n503 Server Error: busy"),
        "HubUnreachable",
        C.NETWORK,
    ),
    (
        1,
        record("Download encountered an error: \nOfflineModeIsEnabled: x"),
        "WeightsMissing",
        C.CONFIG,
    ),
    (1, record("Download encountered an error: \nKeyError: 'a'"), "DownloadFailed", C.CRASH),
    (
        1,
        record("Shard process was signaled to shutdown with signal 7"),
        "SharedMemoryTooSmall",
        C.CRASH,
    ),
    (
        1,
        record("Shard process was signaled to shutdown with signal 9"),
        "ShardKilled",
        C.CRASH,
    ),
    (
        1,
        record("Shard process was signaled to shutdown with signal 11"),
        "ShardSignalled",
        C.CRASH,
    ),
    (
        1,
        record("failed to build Prometheus recorder: FailedToCreateHTTPListener"),
        "PortTaken",
        C.PORT,
    ),
    (1, "Os { code: 98, kind: AddrInUse, message: 'Address already in use' }", "PortTaken", C.PORT),
    (1, record("Shard 0 failed to start"), "ShardCannotStart", C.CRASH),
    (1, record("Shard 1 crashed"), "ShardFailed", C.CRASH),
    (
        1,
        record("thread 'main' panicked at router/src/server.rs:1743:14:"),
        "Panicked",
        C.CRASH,
    ),
    (1, record("Webserver Crashed"), "WebserverFailed", C.CRASH),
    (0, "", "Crashed", C.CRASH),
    (101, "", "Crashed", C.CRASH),
]
