"""How the engines end: real lines (or their shape in the sources) and what they must mean."""

import pytest

from agent.engines import ENGINES
from agent.engines.markers import Marker
from agent.engines.tgi_tables import ENDINGS as TGI
from agent.engines.vllm_tables import ENDINGS as VLLM
from agent.reports import ExitClass

C = ExitClass


def _tgi_record(message: str) -> str:
    """A line of TGI's launcher with --json-output."""
    escaped = message.replace('"', '\\"').replace("\n", "\\n")
    return f'{{"level":"ERROR","fields":{{"message":"{escaped}"}},"target":"text_generation"}}'


TGI_CASES = [
    (2, "error: unexpected argument '--draft-model-id' found", "BadFlag", C.CONFIG),
    (2, "error: invalid value 'x' for '--port <PORT>': invalid digit", "BadFlag", C.CONFIG),
    (1, 'Error: ArgumentValidation("`sharded` is true but")', "BadArgument", C.CONFIG),
    (1, 'Error: NotEnoughCUDADevices("...")', "TooFewGpus", C.CONFIG),
    (
        1,
        _tgi_record("ValueError: `num_heads` must be divisible by `num_shards` (got 3)"),
        "HeadsNotDivisible",
        C.CONFIG,
    ),
    (
        1,
        _tgi_record("Not enough memory to handle 9000 total tokens."),
        "NotEnoughMemory",
        C.CONFIG,
    ),
    (1, _tgi_record("ValueError: Unsupported model type bark"), "UnsupportedModel", C.CONFIG),
    (
        1,
        _tgi_record("NotImplementedError: fp8 quantization is not supported on CPU"),
        "UnsupportedSetting",
        C.CONFIG,
    ),
    (1, "Unable to load tokenizer from /model", "TokenizerMissing", C.CONFIG),
    (
        1,
        _tgi_record("Download encountered an error: \n403 Client Error: Forbidden"),
        "HubRefused",
        C.AUTH,
    ),
    (
        1,
        _tgi_record("Download encountered an error: \n503 Server Error: busy"),
        "HubUnreachable",
        C.NETWORK,
    ),
    (
        1,
        _tgi_record("Download encountered an error: \nOfflineModeIsEnabled: x"),
        "WeightsMissing",
        C.CONFIG,
    ),
    (1, _tgi_record("Download encountered an error: \nKeyError: 'a'"), "DownloadFailed", C.CRASH),
    (
        1,
        _tgi_record("Shard complete standard error output:\n\nsafetensors_rust.SafetensorError: x"),
        "WeightsCorrupt",
        C.CONFIG,
    ),
    (1, "Os { code: 98, kind: AddrInUse, message: 'Address already in use' }", "PortTaken", C.PORT),
    (1, _tgi_record("torch.OutOfMemoryError: CUDA out of memory."), "GpuOutOfMemory", C.MEMORY),
    (
        1,
        _tgi_record("RuntimeError: CUDA error: an illegal memory access was encountered"),
        "CudaError",
        C.GPU,
    ),
    (1, _tgi_record("DistBackendError: NCCL error in: x"), "NcclError", C.GPU),
    (
        1,
        _tgi_record("Shard process was signaled to shutdown with signal 7"),
        "SharedMemoryTooSmall",
        C.CRASH,
    ),
    (
        1,
        _tgi_record("Shard process was signaled to shutdown with signal 9"),
        "ShardKilled",
        C.CRASH,
    ),
    (
        1,
        _tgi_record("Shard process was signaled to shutdown with signal 11"),
        "ShardSignalled",
        C.CRASH,
    ),
    (1, _tgi_record("Shard 0 failed to start"), "ShardCannotStart", C.CRASH),
    (1, _tgi_record("Shard 1 crashed"), "ShardFailed", C.CRASH),
    (1, _tgi_record("Webserver Crashed"), "WebserverFailed", C.CRASH),
    (0, "", "Crashed", C.CRASH),
    (101, "", "Crashed", C.CRASH),
    (137, "", "Killed", C.CRASH),
    (143, "", "Terminated", C.CRASH),
]

VLLM_CASES = [
    (2, "vllm: error: unrecognized arguments: --speculate", "BadFlag", C.CONFIG),
    (2, "vllm serve: error: argument --dtype: invalid choice: 'x'", "BadFlag", C.CONFIG),
    (
        1,
        "Total number of attention heads (4) must be divisible by tensor parallel size (3).",
        "HeadsNotDivisible",
        C.CONFIG,
    ),
    (
        1,
        "ValueError: Weight output_partition_size = 96 is not divisible by weight quantization "
        "block_n = 128.",
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
        "Model architectures ['BarkModel'] are not supported for now. Supported",
        "UnsupportedModel",
        C.CONFIG,
    ),
    (1, "Unknown quantization method: bitsandbytes.", "UnsupportedQuantization", C.CONFIG),
    (1, "The repository x contains custom code which must be executed", "RemoteCode", C.CONFIG),
    (1, "OSError: You are trying to access a gated repo. GatedRepoError", "HubRefused", C.AUTH),
    (1, "RuntimeError: Cannot find any model weights with `/model`", "WeightsMissing", C.CONFIG),
    (1, "SafetensorError: Error while deserializing header", "WeightsCorrupt", C.CONFIG),
    (1, "[Errno 98] address already in use", "PortTaken", C.PORT),
    (
        1,
        "Free memory on device cuda:0 (3.1/79.2 GiB) on startup is less than desired GPU memory",
        "GpuMemoryHeld",
        C.MEMORY,
    ),
    (1, "AssertionError: Error in memory profiling. Initial free", "GpuMemoryMoved", C.MEMORY),
    (1, "torch.OutOfMemoryError: CUDA out of memory. Tried", "GpuOutOfMemory", C.MEMORY),
    (1, "RuntimeError: No CUDA GPUs are available", "NoGpu", C.GPU),
    (
        1,
        "ValueError: World size (4) is larger than the number of available GPUs (2) in this node",
        "NoGpu",
        C.GPU,
    ),
    (0, "torch.AcceleratorError: CUDA error: unspecified launch failure", "CudaError", C.GPU),
    (0, "CUDA error: uncorrectable ECC error encountered", "GpuMemoryFault", C.GPU),
    (0, "RuntimeError: NCCL error: unhandled cuda error", "NcclError", C.GPU),
    (0, "TimeoutError: RPC call to execute_model timed out.", "WorkerHung", C.GPU),
    (1, "RuntimeError: Engine core initialization failed. See", "EngineStartFailed", C.CRASH),
    (0, "vllm.v1.engine.exceptions.EngineDeadError: EngineCore enc", "EngineDied", C.CRASH),
    (0, "", "EngineDied", C.CRASH),
    (1, "", "Crashed", C.CRASH),
    (137, "", "Killed", C.CRASH),
    (143, "", "Terminated", C.CRASH),
]

CASES = [("tgi", *case) for case in TGI_CASES] + [("vllm", *case) for case in VLLM_CASES]


@pytest.mark.parametrize(("kind", "code", "line", "reason", "exit_class"), CASES)
def test_each_ending_is_told_by_its_marker(
    kind: str, code: int, line: str, reason: str, exit_class: ExitClass
) -> None:
    ending = ENGINES[kind].classify(code, ("before", line, "after"))
    assert (ending.reason, ending.kind) == (reason, exit_class)
    assert "{" not in ending.message.replace("{'", "")


# Shared markers that are tried under the other engine.
ELSEWHERE = {"tgi": {"GpuMemoryFault", "NoGpu"}, "vllm": set[str]()}


@pytest.mark.parametrize(("kind", "table"), [("tgi", TGI), ("vllm", VLLM)])
def test_every_marker_has_a_case(kind: str, table: tuple[Marker, ...]) -> None:
    tried = {case[3] for case in CASES if case[0] == kind}
    assert {marker.reason for marker in table} <= tried | ELSEWHERE[kind]


def test_the_cause_wins_over_its_consequence() -> None:
    lines = (
        _tgi_record("torch.OutOfMemoryError: CUDA out of memory."),
        _tgi_record("Shard 0 failed to start"),
        "Error: ShardCannotStart",
    )
    assert ENGINES["tgi"].classify(1, lines).reason == "GpuOutOfMemory"


def test_the_sentence_repeats_what_the_engine_found() -> None:
    ending = ENGINES["vllm"].classify(1, ("the estimated maximum model length is 6144. Try",))
    assert "engine_max_total_tokens to 6144" in ending.message


@pytest.mark.parametrize(
    "line",
    [
        "[rank0]:[W1124 ProcessGroupNCCL.cpp:1250] Warning: destroy_process_group() was not called",
        "INFO Initializing a V1 LLM engine with config: trust_remote_code=True, dtype=bfloat16",
        "INFO vLLM is using nccl==2.31.2",
        "INFO shm_broadcast.py: No available shared memory broadcast block found in 60 seconds",
    ],
)
def test_ordinary_lines_are_no_markers(line: str) -> None:
    assert ENGINES["vllm"].classify(0, (line,)).reason == "EngineDied"
    assert ENGINES["tgi"].classify(1, (line,)).reason == "Crashed"
