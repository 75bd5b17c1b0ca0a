"""What Docker's description of a container tells. Pure."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

MODEL = re.compile(r"[\w.-]+/[\w.-]+")
CACHED = re.compile(r"/models--([\w.-]+?)--([\w.-]+)(?:/|$)")
# The flag that names the model: TGI, vLLM, SGLang.
MODEL_FLAGS = ("--model-id", "--model", "--model-path")

Json = dict[str, Any]


def pairs(words: list[str]) -> list[tuple[str, str]]:
    """Return flags with their values, given as two words or as one with `=`."""
    plain = [
        (word, "" if following.startswith("--") else following)
        for word, following in pairwise([*words, ""])
        if word.startswith("--") and "=" not in word
    ]
    split = [w.partition("=") for w in words if w.startswith("--") and "=" in w]
    return [(name, value) for name, _, value in split] + plain


def secrets(environment: dict[str, str], words: list[str], secret: re.Pattern[str]) -> list[str]:
    """Return the names of variables and flags that hold a secret."""
    found = [
        name
        for name, value in environment.items()
        if value and (secret.search(name.upper()) or value.startswith("hf_"))
    ]
    flags = [name for name, value in pairs(words) if value]
    return found + [f for f in flags if secret.search(f.strip("-").replace("-", "_").upper())]


def model(environment: dict[str, str], words: list[str]) -> str:
    """Return the id of the model that it serves; empty when it cannot be told."""
    given = [value for name, value in pairs(words) if name in MODEL_FLAGS]
    given += [environment.get("MODEL_ID", ""), *words[:3]]  # vLLM: `serve ORGANISATION/NAME`
    for value in given:
        if cached := CACHED.search(value):
            return f"{cached[1]}/{cached[2]}"
        if MODEL.fullmatch(value):
            return value
    return ""


def injection(config: Json, environment: dict[str, str]) -> tuple[str, str]:
    """Return how GPUs come into a container, and which: as it was asked for."""
    for request in config.get("DeviceRequests") or []:
        ids = request.get("DeviceIDs") or []
        if request.get("Driver") == "cdi":
            return "cdi", ",".join(ids)
        if any("gpu" in some for some in request.get("Capabilities") or []):
            count = request.get("Count") or 0
            return "legacy", ",".join(ids) or ("all" if count < 0 else str(count))
    if config.get("Runtime") == "nvidia":
        return "runtime", environment.get("NVIDIA_VISIBLE_DEVICES", "all")
    devices = [d["PathOnHost"] for d in config.get("Devices") or []]
    nvidia = [path for path in devices if path.startswith("/dev/nvidia")]
    return ("devices", ",".join(nvidia)) if nvidia else ("", "")


def published(inspected: Json) -> list[Json]:
    """Return the TCP ports that Docker publishes, or will when it is started."""
    running = inspected["State"]["Running"]
    bound = inspected["NetworkSettings" if running else "HostConfig"]
    table = bound.get("Ports" if running else "PortBindings") or {}
    return [
        {"address": one.get("HostIp") or "0.0.0.0", "port": int(one["HostPort"])}  # noqa: S104
        for name, bindings in table.items()
        if name.endswith("/tcp")
        for one in bindings or []
        if one.get("HostPort")
    ]
