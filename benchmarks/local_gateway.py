"""The gateway as a deploy renders it, run by this machine's own nginx on free ports of loopback."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agent.spec import HostSpec
from benchmarks.figures import CannotMeasureError
from fleet import gateway, key_maps
from fleet.facts.nginx import InstalledNginx
from fleet.keys import ApiKey
from tests.ports import free_port
from tests.sandbox import pki

NAME, KEY = "gateway.example", "sk-0123456789abcdef0123456789abcdef"
SCRIPTING = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")


@dataclass(frozen=True)
class Running:
    """A gateway that takes requests. `lines` grows with what it logs to the agent's socket."""

    port: int
    ca: Path
    pid: int
    version: str
    lines: list[bytes]


def specification(ports: Mapping[str, int]) -> HostSpec:
    """Return the spec of a host with an engine, and a model, of each name."""
    engines = {name: {"gpus": 0, "port": port, "served_name": name} for name, port in ports.items()}
    data = {
        "driver_gpu_count": 0,
        "engine_image": "x@sha256:" + "a" * 64,
        "engine_model": "org/model",
        "engine_revision": "a" * 40,
        "engines": engines,
        "gateway_server_name": NAME,
        # In force, and out of the way.
        "gateway_requests_per_second": 100_000,
        "gateway_burst": 100_000,
        "gateway_connections_per_key": 10_000,
    }
    return HostSpec.from_data("here", data)


@contextmanager
def running(spec: HostSpec) -> Iterator[Running]:
    """Run nginx with the configuration of `spec`, all gates open; needs root."""
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if nginx is None or not SCRIPTING.exists() or os.geteuid() != 0:
        packages = f"nginx {gateway.SCRIPTING}"
        raise CannotMeasureError(
            f"it needs root, and: apt-get install --no-install-recommends {packages}"
        )
    with tempfile.TemporaryDirectory(prefix="stoker-gateway-") as directory:
        root = Path(directory)
        root.chmod(0o755)
        port = free_port()
        version = _lay(spec, root, nginx, port)
        with _drained(root / "gateway.sock") as lines:
            command = [nginx, "-c", str(root / "nginx.conf")]
            subprocess.run([*command, "-t", "-q"], check=True)
            process = subprocess.Popen([*command, "-g", "daemon off;"])
            try:
                _answers(port)
                yield Running(port, root / "ca.pem", process.pid, version, lines)
            finally:
                process.terminate()
                process.wait(20)


def _lay(spec: HostSpec, root: Path, nginx: str, port: int) -> str:
    said = subprocess.run(
        ["sh", "-c", InstalledNginx().command().replace("/usr/sbin/nginx", nginx)],
        check=True,
        capture_output=True,
        text=True,
    )
    found = InstalledNginx().process(said.stdout.splitlines())
    pki.ensure_authority(root)
    pki.ensure_certificate(root, NAME, "127.0.0.1")
    moved = {
        gateway.CERTIFICATE: str(root / "tls" / f"{NAME}.crt"),
        gateway.PRIVATE_KEY: str(root / "tls" / f"{NAME}.key"),
        gateway.GATES: f"{root}/gates/",
        "/etc/stoker/secrets/": f"{root}/",
        "/etc/stoker/": f"{root}/",
        "/run/stoker/": f"{root}/",
        "/var/log/nginx/": f"{root}/",
        "/run/nginx.pid": f"{root}/nginx.pid",
        "listen 443": f"listen 127.0.0.1:{port}",
        "listen 80": f"listen 127.0.0.1:{free_port()}",
        "listen [::]": "# ",
    }
    keys = [ApiKey("bench", KEY)]
    files = {
        gateway.CONF: gateway.nginx_conf(spec, found),
        gateway.SCRIPT: gateway.script(spec),
        gateway.KEYS: key_maps.http(keys, spec.gateway),
        gateway.LIMITS: key_maps.location(keys, spec.gateway),
    }
    for path, text in files.items():
        for old, new in moved.items():
            text = text.replace(old, new)  # noqa: PLW2901 - one after the other
        (root / Path(path).name).write_text(text)
    (root / "gates").mkdir()
    for name in spec.engines:
        (root / "gates" / f"{name}.open").touch()
    return ".".join(map(str, found.version))


@contextmanager
def _drained(path: Path) -> Iterator[list[bytes]]:
    """Read the agent's socket as the agent would."""
    lines: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(path))
        path.chmod(0o666)

        def drain() -> None:
            with suppress(OSError):
                while data := inbox.recv(65536):
                    lines.append(data)

        thread = threading.Thread(target=drain, daemon=True)
        thread.start()
        yield lines
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(path))
        thread.join(5)


def _answers(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        threading.Event().wait(0.05)
    raise CannotMeasureError("nginx does not answer")
