"""Docker's daemon.json: ours merged into what is there. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from agent.engines import longest_stop
from agent.spec import HostSpec

Settings = dict[str, Any]
MARGIN = 30  # seconds from the longest drain of an engine to the end of Docker's patience
NVIDIA = "nvidia"  # the runtime that NVIDIA's toolkit brings for what was before CDI


class DaemonError(ValueError):
    """The file that is there cannot be merged with."""


def ours(spec: HostSpec) -> Settings:
    """Return the settings that a host of ours needs; `runtime_daemon` has the last word."""
    longest = longest_stop(spec.engines)
    settings = {
        # A restart of dockerd must not touch an engine that serves.
        "live-restore": True,
        # A published port is seen by this host only; `-p` would go around any firewall.
        "ip": "127.0.0.1",
        "userland-proxy": False,
        "no-new-privileges": True,
        "log-driver": "local",
        "log-opts": {"max-size": "50m", "max-file": "5"},
        "shutdown-timeout": int(longest) + MARGIN,
        "features": {"cdi": True},
        "default-ulimits": {
            "nofile": {"Name": "nofile", "Soft": 1048576, "Hard": 1048576},
            "memlock": {"Name": "memlock", "Soft": -1, "Hard": -1},
        },
    }
    return merge(settings, spec.runtime.daemon)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> Settings:
    """Lay `above` over `below`, dicts key by key; a value of None takes the key out."""
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def text(there: str, spec: HostSpec) -> str:
    """Return the new daemon.json, given the text of the one that is there (may be empty)."""
    try:
        settings = json.loads(there) if there.strip() else {}
    except (ValueError, RecursionError) as error:
        raise DaemonError(
            f"/etc/docker/daemon.json is no JSON ({error}): repair or remove it"
        ) from error
    if not isinstance(settings, dict):
        raise DaemonError("/etc/docker/daemon.json is no JSON object: repair or remove it")
    if settings.get("default-runtime") == NVIDIA:
        # It hands every GPU to any image that asks for them in its environment, as CUDA's images
        # do, beside what CDI gave. A container that was made with it keeps it.
        settings = merge(settings, {"default-runtime": None})
    return json.dumps(merge(settings, ours(spec)), indent=2, sort_keys=True) + "\n"
