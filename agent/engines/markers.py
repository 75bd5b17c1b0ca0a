"""Why an engine ended, read from its last lines: tables of markers, tried from top to bottom.

A marker of a cause stands above a marker of its consequence ("Shard 0 failed to start" follows
every failed start). To teach Stoker a new way to fail, add a line to a table.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from agent.engines.base import Ending
from agent.reports import ExitClass

USAGE = 2  # clap's and argparse's exit code for a command line they refuse
KILLED, TERMINATED = 137, 143  # 128 + SIGKILL, 128 + SIGTERM


class Marker(NamedTuple):
    """`sentence` is for the operator; its {names} are the named groups of `pattern`.

    {what} is the whole line unless a group has that name.
    """

    reason: str
    kind: ExitClass
    pattern: str
    sentence: str


# What PyTorch, NCCL and the Hub's library write is the same under every engine.
NO_ACCESS = (
    Marker(
        "HubRefused",
        ExitClass.AUTH,
        r"GatedRepoError|RepositoryNotFoundError|40[13] Client Error|(?i:cannot access gated repo)",
        "the engine asked the Hub and was refused; engines run offline from verified weights, so "
        "name no other model in extra_args",
    ),
)
WEIGHTS = (
    Marker(
        "WeightsMissing",
        ExitClass.CONFIG,
        r"LocalEntryNotFoundError|OfflineModeIsEnabled|No local weights found|"
        r"Cannot find any model weights|is not a local folder and is not a valid model",
        "a file that the engine needs is not among the weights: fetch them again "
        "(stoker-weights), or the model has no safetensors",
    ),
    Marker(
        "WeightsCorrupt",
        ExitClass.CONFIG,
        r"SafetensorError|Error while deserializing header|incomplete metadata, file not fully",
        "a weight file is damaged: remove its directory and fetch the weights again",
    ),
)
PORT = (
    Marker(
        "PortTaken",
        ExitClass.PORT,
        r"(?i:address already in use)|EADDRINUSE|failed to build Prometheus recorder",
        "a port that the engine needs is taken",
    ),
)
GPU = (
    Marker(
        "GpuOutOfMemory",
        ExitClass.MEMORY,
        r"CUDA out of memory|torch\.(cuda\.)?OutOfMemoryError|CUDA error: out of memory",
        "out of GPU memory: lower max_total_tokens or max_batch_prefill_tokens, quantize, or give "
        "the engine more gpus",
    ),
    Marker(
        "GpuMemoryFault",
        ExitClass.GPU,
        r"(?i:uncorrectable ECC)",
        "the GPU reported an uncorrectable memory error: look at its Xid before it serves again",
    ),
    Marker(
        "NcclError",
        ExitClass.GPU,
        # Not ProcessGroupNCCL alone: it also warns at every ordinary exit.
        r"NCCL error|nccl(UnhandledCuda|System|Internal|Remote)Error|"
        r"Watchdog caught collective operation timeout",
        "communication between the GPUs failed (NCCL)",
    ),
    Marker(
        "NoGpu",
        ExitClass.GPU,
        r"no CUDA-capable device|No CUDA GPUs are available|Failed to infer device type|"
        r"larger than the number of available GPUs",
        "the engine saw fewer GPUs than it was given: the driver or the CDI specification is "
        "out of step",
    ),
    Marker(
        "CudaError",
        ExitClass.GPU,
        r"CUDA error: (?P<what>[^\n\"\\]{1,80})|CUDA driver error|CUBLAS_STATUS_|CUDNN_STATUS_|"
        r"DriverError\(CUDA",
        "CUDA failed",
    ),
)


def find(markers: Sequence[Marker], lines: Sequence[str]) -> Ending | None:
    """Return the ending of the first marker whose pattern any line matches."""
    for marker in markers:
        pattern = re.compile(marker.pattern)
        for line in reversed(lines):
            if match := pattern.search(line):
                named = {name: text or "" for name, text in match.groupdict().items()}
                message = marker.sentence.format_map({"what": line.strip()[:300], **named})
                return Ending(kind=marker.kind, reason=marker.reason, message=message)
    return None


def by_code(code: int, program: str) -> Ending:
    """Judge an ending that left no marker by its exit code alone."""
    if code == USAGE:
        message = f"{program} refused its command line: look at extra_args"
        return Ending(kind=ExitClass.CONFIG, reason="BadFlag", message=message)
    if code == KILLED:
        return _crash("Killed", f"{program} was killed (SIGKILL) by something outside of it")
    if code == TERMINATED:
        return _crash("Terminated", f"{program} was told to stop by somebody other than Stoker")
    return _crash("Crashed", f"{program} ended with exit code {code} and no known marker")


def _crash(reason: str, message: str) -> Ending:
    return Ending(kind=ExitClass.CRASH, reason=reason, message=message)
