"""What the control machine can tell about a spec: the files it names, and its engine settings."""

import stat
from datetime import UTC, datetime
from pathlib import Path

from agent.engines import ENGINES
from agent.spec import HostSpec
from fleet import balancer_files, keys, tls_files
from fleet.release import given


def faults(spec: HostSpec) -> list[str]:
    """Return one sentence for each setting that cannot work, as far as this machine can tell."""
    found = [
        f"engine {name}: {fault}"
        for name, engine in spec.engines.items()
        for fault in ENGINES[engine.kind].faults(engine)
    ]
    if spec.engines:
        found += tls_files.faults(spec.gateway, _file)
        found += _text("gateway_keys_file", spec.gateway.keys_file) or _keys(spec.gateway.keys_file)
    if spec.balancer.enabled:
        found += balancer_files.faults(spec, _file)
    if spec.agent.webhook_secret_file is not None:
        found += _text("agent_webhook_secret_file", spec.agent.webhook_secret_file)
    monitoring = spec.monitoring
    for path in monitoring.rules_files:
        found += _text("monitoring_rules_files", path, secret=False)
    if monitoring.webhook_token_file is not None:
        found += _text("monitoring_webhook_token_file", monitoring.webhook_token_file)
    if monitoring.alertmanager_file is not None:
        found += _text("monitoring_alertmanager_file", monitoring.alertmanager_file)
    if spec.engines and spec.model.token_file is not None and given.release() is None:
        found += _text("model_token_file", spec.model.token_file)
    if spec.driver.gpu_count and not spec.driver.repository_key_fingerprints:
        found.append(
            "driver_repository_key_fingerprints: is empty; without it nobody can tell whether "
            "the key of driver_repository is NVIDIA's"
        )
    return found


def warnings(spec: HostSpec) -> list[str]:
    """Return a sentence for each certificate among them that expires soon."""
    found = tls_files.warnings(spec.gateway) if spec.engines else []
    return found + (balancer_files.warnings(spec) if spec.balancer.enabled else [])


def token(spec: HostSpec) -> str:
    """Read the Hub token; empty when the spec names no file, and on a node, which has none."""
    if not spec.model.token_file or given.release() is not None:
        return ""
    return Path(spec.model.token_file).read_text().strip()


def text(path: str) -> str:
    """Read a file that the spec names."""
    return given.place(path).read_text()


def api_keys(spec: HostSpec) -> list[keys.ApiKey]:
    """Return the keys of the gateway that are good today, in UTC."""
    return _good(spec.gateway.keys_file)


def _good(path: str) -> list[keys.ApiKey]:
    return keys.usable(keys.parse(text(path)), datetime.now(UTC).date())


def _keys(path: str) -> list[str]:
    try:
        _good(path)
    except keys.KeysError as error:
        return [f"gateway_keys_file = {path!r}: {error}"]
    return []


def _text(key: str, path: str, *, secret: bool = True) -> list[str]:
    if found := _file(key, path, secret=secret):
        return found
    try:
        text(path)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text (UTF-8)"
        return [f"{key} = {path!r}: {why}"]
    return []


def _file(key: str, path: str, *, secret: bool = True) -> list[str]:
    if not path:
        return [f"{key}: is empty; it needs the path of a file on this machine"]
    try:
        mode = given.place(path).stat().st_mode
    except OSError as error:
        return [f"{key} = {path!r}: {error.strerror}"]
    if not stat.S_ISREG(mode):
        return [f"{key} = {path!r}: is not a file"]
    if secret and mode & stat.S_IRWXO:
        return [f"{key} = {path!r}: others may read this secret; chmod 600 it"]
    return []
