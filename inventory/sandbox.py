"""The simulated fleet of `make demo`: real SSH, systemd, Docker and nginx; simulated GPUs.

It lies in `.sandbox/`, or where STOKER_SANDBOX says.
"""

import json as _json
import os as _os
from pathlib import Path as _Path
from typing import Any as _Any

from pyinfra.api.exceptions import InventoryError as _InventoryError

_directory = _Path(_os.environ.get("STOKER_SANDBOX", ".sandbox")).resolve()
if not (_directory / "depot.json").exists():
    raise _InventoryError(f"{_directory} holds no fleet; `make demo` makes one")
_depot = _json.loads((_directory / "depot.json").read_text())
_hosts = _json.loads((_directory / "hosts.json").read_text())
# What a test wants of a host that `--data` cannot say: {"gpu-1": {"engines": {…}}}
_extra = _directory / "data.json"
_wanted: dict[str, dict[str, _Any]] = _json.loads(_extra.read_text()) if _extra.exists() else {}


def _common(host: dict[str, _Any]) -> dict[str, _Any]:
    apt, key = _depot["apt"], _depot["apt"] + "/key.asc"
    fingerprint = _depot["apt_key_fingerprint"]
    return {
        "ssh_hostname": host["address"],
        "ssh_port": host["ssh_port"],
        "ssh_user": host["ssh_user"],
        "ssh_key": host["ssh_key"],
        "ssh_known_hosts_file": str(_directory / "known_hosts"),
        "ssh_strict_host_key_checking": "yes",
        "driver_gpu_count": host["gpus"],
        "driver_repository": f"{apt}/nvidia",
        "driver_repository_key": key,
        "driver_repository_key_fingerprints": (fingerprint,),
        "runtime_docker_repository": f"{apt}/docker",
        "runtime_docker_key": key,
        "runtime_docker_key_fingerprint": fingerprint,
        # Debian's own Docker, packed under the names of Docker's: 26.1, on Debian 12 20.10.
        "runtime_docker_minimum": "20.10" if host["os"] == "debian-12" else "26.1",
        "runtime_toolkit_repository": f"{apt}/toolkit",
        "runtime_toolkit_key": key,
        "runtime_toolkit_key_fingerprint": fingerprint,
        # A container may not raise the limits that it was given.
        "runtime_daemon": {"default-ulimits": None},
        "model_hub": _depot["hub"],
        "model_token_file": str(_directory / "hf-token"),
        "model_lock_file": str(_directory / "models.lock"),
        "gateway_server_name": f"{host['name']}.sandbox",
        "gateway_tls_cert_file": str(_directory / "tls" / f"{host['name']}.crt"),
        "gateway_tls_key_file": str(_directory / "tls" / f"{host['name']}.key"),
        "gateway_keys_file": str(_directory / "api-key"),
        "gateway_retry_after": 2,
        "agent_listen": "0.0.0.0",
        # This machine, the first address, and the hosts.
        "firewall_read_from": (host["address"].rpartition(".")[0] + ".0/24",),
        # Debian 12's Docker knows no CDI, by which engines get their GPUs.
        "engine_gpus": 0 if host["os"] == "debian-12" else host["gpus"],
        "engine_shm_gib": 1,
        "engine_startup_deadline": 240.0,
        "engine_drain_deadline": 30.0,
    }


def _simulated(host: dict[str, _Any]) -> dict[str, _Any]:
    """TGI's simulator with a tiny model."""
    return {
        **_common(host),
        "engine_kind": "tgi",
        "engine_image": _depot["images"].get("tgi", ""),
        "engine_model": "stoker/tiny-llama",
        "engine_revision": _depot["models"].get("stoker/tiny-llama", ""),
    }


def _real(host: dict[str, _Any]) -> dict[str, _Any]:
    """vLLM's CPU build with a small model that talks."""
    model = "HuggingFaceTB/SmolLM2-135M-Instruct"
    return {
        **_common(host),
        "engine_kind": "vllm",
        "engine_image": _depot["images"].get("vllm", ""),
        "engine_model": model,
        "engine_revision": _depot["models"].get(model, ""),
        "engine_max_input_tokens": 1024,
        "engine_max_total_tokens": 2048,
        "engine_dtype": "bfloat16",
        "engine_max_running_requests": 8,
        "engine_extra_args": ("--enforce-eager",),
        "engine_environment": {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        },
    }


def _balancer(host: dict[str, _Any]) -> dict[str, _Any]:
    """HAProxy in front of the others; that it has no engine is in the data of its group."""
    common = {key: value for key, value in _common(host).items() if not key.startswith("engine_")}
    return {
        **common,
        "balancer_server_name": f"{host['name']}.sandbox",
        "balancer_tls_cert_file": str(_directory / "tls" / f"{host['name']}.crt"),
        "balancer_tls_key_file": str(_directory / "tls" / f"{host['name']}.key"),
        "balancer_nodes_ca_file": str(_directory / "ca.pem"),
        "balancer_retry_after": 2,
        "balancer_agent_silence": 5.0,
        "balancer_connections": 2000,
    }


def _watching(host: dict[str, _Any]) -> dict[str, _Any]:
    """Prometheus; that it has no engine is in the data of its group."""
    common = {key: value for key, value in _common(host).items() if not key.startswith("engine_")}
    return {**common, "monitoring_interval": 5}


simulated = [
    (h["name"], _simulated(h) | _wanted.get(h["name"], {}))
    for h in _hosts
    if h["name"] != "real-1" and not h["name"].startswith(("lb-", "eye-"))
]
balancers = [
    (h["name"], _balancer(h) | _wanted.get(h["name"], {}))
    for h in _hosts
    if h["name"].startswith("lb-")
]
monitoring = [
    (h["name"], _watching(h) | _wanted.get(h["name"], {}))
    for h in _hosts
    if h["name"].startswith("eye-")
]
real = [(h["name"], _real(h)) for h in _hosts if h["name"] == "real-1"]
