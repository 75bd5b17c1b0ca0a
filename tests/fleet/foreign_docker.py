"""A Docker to look at: programs that print what the real ones print, and containers as it says."""

import json
from pathlib import Path
from typing import Any

ID = "ab" * 32


def inspected(name: str = "tgi", **changes: Any) -> dict[str, Any]:
    """The part of `docker inspect` that is looked at, as the tutorial's command leaves it."""
    made: dict[str, Any] = {
        "Id": ID,
        "Name": f"/{name}",
        "State": {"Running": True, "Pid": 1},
        "Config": {
            "Image": "ghcr.io/huggingface/text-generation-inference:3.3",
            "Env": ["HUGGING_FACE_HUB_TOKEN=hf_verysecret", "PORT=80", "HF_HOME=/data"],
            "Entrypoint": ["text-generation-launcher"],
            "Cmd": ["--model-id", "org/model"],
            "Labels": {},
        },
        "HostConfig": {
            "RestartPolicy": {"Name": "always"},
            "DeviceRequests": [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}],
            "Runtime": "runc",
            "Devices": [],
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
        },
        "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}},
        "Mounts": [],
    }
    for key, value in changes.items():
        made[key] = {**made[key], **value} if isinstance(made[key], dict) else value
    return made


def programs(directory: Path, containers: list[dict[str, Any]], units: str = "") -> None:
    """Leave the programs in `directory`, to be found first."""
    (directory / "inspect.json").write_text(json.dumps(containers))
    (directory / "units").write_text(units)
    ids = " ".join(one["Id"] for one in containers)
    texts = {
        "docker": f'case "$1" in ps) echo {ids} ;; inspect) cat {directory}/inspect.json ;; esac',
        "systemctl": f"cat {directory}/units",
        "ss": "exit 0",
        "nvidia-smi": "exit 9",
    }
    for name, text in texts.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
