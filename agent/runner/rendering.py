"""A `Container` value as the arguments of the Docker SDK's `containers.create`. Pure."""

from collections.abc import Sequence
from typing import Any

from docker.types import DeviceRequest, LogConfig
from docker.types import Mount as DockerMount

from agent.engines import room
from agent.engines.base import Container
from agent.runner import network

ENGINE_LABEL, DIGEST_LABEL, GPUS_LABEL = "stoker.engine", "stoker.digest", "stoker.gpus"


def container_name(engine: str) -> str:
    """Return the name of the engine's container."""
    return f"stoker-{engine}"


def settings(
    container: Container, engine: str, digest: str, gpus: Sequence[str], cache: str
) -> dict[str, Any]:
    """Render the arguments; `cache` is a directory of the host that the engine may write to.

    GPUs come by CDI only: other injections are lost on a daemon-reload.
    """
    return {
        "name": container_name(engine),
        "image": container.image,
        # Whatever the host's default: another one would add the GPUs of other engines.
        "runtime": "runc",
        "command": list(container.command),
        "environment": dict(container.environment),
        "labels": {ENGINE_LABEL: engine, DIGEST_LABEL: digest, GPUS_LABEL: ",".join(gpus)},
        "device_requests": [_cdi(gpus)] if gpus else [],
        "ports": {f"{container.port}/tcp": ("127.0.0.1", container.published)},
        "mounts": [
            DockerMount(mount.target, mount.source, type="bind", read_only=mount.read_only)
            for mount in container.mounts
        ]
        + [DockerMount(room.CACHE, cache, type="bind")],
        "network": network.NAME,
        "user": container.user,
        "working_dir": container.directory,
        # Executable: Triton and TorchInductor load what they compile there.
        "tmpfs": dict.fromkeys(container.tmpfs, "rw,exec,nosuid,nodev"),
        "shm_size": container.shm_bytes or None,
        "ipc_mode": "private",  # segments of a killed engine go away with its container
        "mem_limit": container.memory_bytes,
        "memswap_limit": container.memory_bytes,
        "read_only": container.read_only,
        "init": container.init,
        "cap_drop": ["ALL"],
        "cap_add": list(container.capabilities),
        "security_opt": ["no-new-privileges"],
        "pids_limit": container.processes,
        "restart_policy": {"Name": "no"},
        "log_config": LogConfig(type="local", config={"max-size": "50m", "max-file": "3"}),
    }


def _cdi(gpus: Sequence[str]) -> DeviceRequest:
    return DeviceRequest(driver="cdi", device_ids=[f"nvidia.com/gpu={uuid}" for uuid in gpus])
