"""How this engine behaves from its start on: speed, size, and faults that strike while starting.

STOKER_SIM_FAULTS holds them as JSON, or the name of a file of them; else they are read from
``<model directory>/sim-faults.json``, else ``/sim-faults.json``; the first that exists. Without any
the engine is healthy.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

STARTS = (
    "ok",
    "exit",
    "never_ready",
    "oom",
    "warmup_oom",
    "shard_error",
    "memory_held",
    "cuda",
    "nccl",
    "no_gpu",
    "download_auth",
    "download_network",
)


class SettingsError(Exception):
    """The file cannot be used; the message names it, the key and what would be right."""


@dataclass(frozen=True)
class Settings:
    """Times in seconds."""

    start: str = "ok"
    """One of STARTS: how the start goes."""
    exit_code: int = 1
    """For start "exit": the launcher ends at once with this code."""
    load_seconds: float = 1.0
    """How long the shards load before they are ready; the port stays closed."""
    tokens_per_second: float = 50.0
    """Decode steps a second; each gives one token to every running request."""
    prefill_tokens_per_second: float = 50000.0
    """Prompt tokens that an engine with chunked prefill (not TGI) computes a second."""
    kv_tokens: int = 32768
    """Tokens that fit the KV cache."""
    keepalive_seconds: float = 15.0
    """Silence after which a stream gets a comment."""


def load_settings(model_id: str, env: Mapping[str, str]) -> Settings:
    """The settings of the first file found; SettingsError names what is wrong with it."""
    if (given := env.get("STOKER_SIM_FAULTS", "")).startswith("{"):
        return parse_settings(given, "STOKER_SIM_FAULTS")
    candidates = [Path(model_id) / "sim-faults.json", Path("/sim-faults.json")]
    if "STOKER_SIM_FAULTS" in env:
        candidates.insert(0, Path(env["STOKER_SIM_FAULTS"]))
    for path in candidates:
        if path.is_file():
            return parse_settings(path.read_text(), str(path))
    return Settings()


def parse_settings(text: str, source: str) -> Settings:
    """Settings from JSON text."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{source}: not valid JSON: {error}") from error
    if not isinstance(raw, dict):
        raise SettingsError(f"{source}: expected a JSON object")
    known = {field.name: type(field.default) for field in fields(Settings)}
    for name, value in raw.items():
        if name not in known:
            raise SettingsError(f"{source}: unknown key {name}; known: {', '.join(sorted(known))}")
        kinds = (int, float) if known[name] is float else (known[name],)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise SettingsError(f"{source}: {name} must be of type {known[name].__name__}")
    settings = Settings(**raw)
    if settings.start not in STARTS:
        raise SettingsError(f"{source}: start is {settings.start!r}; one of {', '.join(STARTS)}")
    for name in ("tokens_per_second", "prefill_tokens_per_second"):
        if getattr(settings, name) <= 0:
            raise SettingsError(f"{source}: {name} must be greater than 0")
    return settings
