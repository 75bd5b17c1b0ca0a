"""Files that the control machine had, and where a deploy finds them that runs on the node.

The spec names files of the control machine: a certificate, keys. A release holds a copy of each;
STOKER_RELEASE says that this is a node, and of which release.
"""

import hashlib
import os
from pathlib import Path

from agent.spec import HostSpec

VARIABLE = "STOKER_RELEASE"


def release() -> Path | None:
    """Return the directory of the release that is converged to; None on the control machine."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def reached() -> bool:
    """Tell whether this is a node that once converged to the release: all in it was tried."""
    here = release()
    return here is not None and (here / "manifest.json").exists()


def place(path: str) -> Path:
    """Return where the file that the spec calls `path` lies on this machine."""
    here = release()
    return here / "files" / name(path) if here else Path(path)


def name(path: str) -> str:
    """Return the name under which a release keeps the file; it tells nothing of the content."""
    return f"{hashlib.sha256(path.encode()).hexdigest()[:16]}-{Path(path).name}"


def paths(spec: HostSpec) -> tuple[str, ...]:
    """Return the files that a release needs. The Hub's token is none: the weights are there."""
    wanted = [
        *_of_engines(spec),
        *_of_balancer(spec),
        spec.agent.webhook_secret_file,
        *spec.monitoring.files(),
    ]
    return tuple(path for path in wanted if path and Path(place(path)).exists())


def _of_engines(spec: HostSpec) -> tuple[str | None, ...]:
    """Return what the gateway and the weights need; a host without engines has neither."""
    if not spec.engines:
        return ()
    gateway = spec.gateway
    pair = (gateway.tls_cert_file, gateway.tls_key_file) if gateway.tls == "files" else ()
    return (*pair, gateway.keys_file, gateway.acme_ca_file, spec.model.lock_file)


def _of_balancer(spec: HostSpec) -> tuple[str | None, ...]:
    own = spec.balancer
    if not own.enabled:
        return ()
    pair = (own.tls_cert_file, own.tls_key_file) if own.tls == "files" else ()
    return (*pair, own.nodes_ca_file)
