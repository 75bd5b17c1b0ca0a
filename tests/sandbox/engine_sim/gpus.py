"""How many GPUs a container sees, the way an engine would find out."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_DEVICE = re.compile(r"nvidia\d+")


def device_names() -> list[str]:
    """Names of the entries of /dev."""
    return [entry.name for entry in Path("/dev").iterdir()]


def visible_gpus(env: Mapping[str, str], devices: Iterable[str]) -> int:
    """Count of usable GPUs: device nodes, narrowed by CUDA_VISIBLE_DEVICES.

    Without device nodes the lists of the container runtime count, so that a sandbox whose CDI
    specification sets only variables still works. CDI itself sets NVIDIA_VISIBLE_DEVICES=void.
    """
    nodes = sum(1 for name in devices if _DEVICE.fullmatch(name))
    listed = _listed(env.get("NVIDIA_VISIBLE_DEVICES", ""))
    present = nodes or listed
    if "CUDA_VISIBLE_DEVICES" in env:
        return min(present, _listed(env["CUDA_VISIBLE_DEVICES"])) if present else 0
    return present


def listed_gpus(env: Mapping[str, str]) -> int | None:
    """The launcher's own guess for an unset --num-shard: length of the first list that is set."""
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        if name in env:
            return max(1, _listed(env[name]))
    return None


def _listed(text: str) -> int:
    if text in {"", "all", "void", "none", "NoDevFiles"}:
        return 0
    return len([part for part in text.split(",") if part])
