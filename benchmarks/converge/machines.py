"""Throw-away hosts for a benchmark: Debian 13 with systemd and sshd, as the sandbox has them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import CannotMeasureError
from tests.sandbox import docker, images, outer, recipes
from tests.sandbox.archive import Entry, pack
from tests.sandbox.machine import CAPABILITIES, LEGACY_CGROUPS, SECURITY, TEMPORARY
from tests.sandbox.machines import system_state
from tests.sandbox.progress import wait_until
from tests.sandbox.shell import SandboxError

PREFIX = "stoker-bench-converge"
IMAGE = f"{PREFIX}:prepared"
RELEASE = "trixie"
ACCOUNTING = Path("/sys/fs/cgroup/cpuacct/docker"), Path("/sys/fs/cgroup/system.slice")


class Machines:
    """Some hosts that are up; `directory` holds the key that opens them."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.names = directory, list[str]()
        self.key = directory / "id"
        if not self.key.exists():
            keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)]
            subprocess.run(keygen, check=True)

    def up(self, count: int, image: str = "") -> None:
        """Have `count` of them up, from `image`, or bare."""
        bare = recipes.host(RELEASE)
        images.ensure(bare)
        new = [f"{PREFIX}-{n}" for n in range(len(self.names) + 1, count + 1)]
        for name in new:
            docker.remove("container", [name] if docker.inspect(name) else [])
            docker.docker(*_arguments(name, image or bare.reference), deadline=120)
            if not image:
                docker.docker("cp", "-", f"{name}:/", stdin=pack(self._files()))
            docker.docker("start", name, deadline=120)
            self.names.append(name)
        for name in new:
            if not wait_until(partial(_booted, name), 300):
                raise CannotMeasureError(f"{name} does not boot: {system_state(name)}")

    def keep(self, name: str) -> None:
        """Make an image of a host."""
        docker.execute(name, ["sh", "-c", "rm -rf /var/lib/systemd/random-seed; sync"])
        docker.docker("commit", name, IMAGE, deadline=300)

    def down(self) -> None:
        """Remove them, and the image."""
        docker.remove("container", [name for name in self.names if docker.inspect(name)])
        docker.docker("image", "rm", "--force", IMAGE, check=False)

    def cpu(self, count: int) -> float:
        """Return the seconds of CPU that the first `count` hosts have used."""
        return sum(_cpu(name) for name in self.names[:count])

    def address(self, name: str) -> str:
        """Return where a host listens."""
        return str(_inspected(name)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])

    def inventory(self, count: int, ports: dict[str, int] | None = None) -> Path:
        """Write for pyinfra where the first `count` are; `ports` of this machine lead to some."""
        found = {}
        for name in self.names[:count]:
            here = ports and ports.get(name)
            found[name] = {
                "ssh_hostname": "127.0.0.1" if here else self.address(name),
                "ssh_port": here or 22,
                "ssh_key": str(self.key),
            }
        path = self.directory / f"hosts-{count}{'-far' if ports else ''}.json"
        path.write_text(json.dumps(found))
        return path

    @contextmanager
    def far(self, count: int, seconds: float) -> Iterator[dict[str, int]]:
        """Within: ports of this machine that lead to the first `count`, `seconds` away and back."""
        ports = {name: 22000 + n for n, name in enumerate(self.names[:count])}
        program = Path(__file__).with_name("far.py")
        argv = [f"{port}={self.address(name)}" for name, port in ports.items()]
        proxy = subprocess.Popen([sys.executable, str(program), str(seconds / 2), *argv])
        time.sleep(1)
        try:
            yield ports
        finally:
            proxy.terminate()
            proxy.wait()

    def _files(self) -> dict[str, Entry]:
        public = self.key.with_suffix(".pub").read_bytes()
        return {
            **outer.settings(),
            "/home/operator/.ssh/authorized_keys": Entry(public, 0o600, owner=1000),
        }


def _booted(name: str) -> bool:
    made = ["sh", "-c", "ssh-keygen -A >/dev/null; systemctl is-active ssh || systemctl start ssh"]
    return (
        system_state(name) in {"running", "degraded"}
        and docker.execute(name, made, check=False).code == 0
    )


def _arguments(name: str, image: str) -> list[str]:
    legacy = ["--env", LEGACY_CGROUPS] if docker.cgroup_version() == 1 else []
    return [
        *("create", "--name", name, "--hostname", name, "--stop-signal", "SIGRTMIN+3"),
        *(part for one in CAPABILITIES for part in ("--cap-add", one)),
        *(part for one in SECURITY for part in ("--security-opt", one)),
        *(part for one in TEMPORARY for part in ("--tmpfs", one)),
        *("--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"),
        *legacy,
        *(image, "/usr/sbin/sandbox-init"),
    ]


def _inspected(name: str) -> dict[str, Any]:
    found = docker.inspect(name)
    if found is None:
        raise SandboxError(f"{name} is gone")
    return found


def _cpu(name: str) -> float:
    identity = str(_inspected(name)["Id"])
    legacy = ACCOUNTING[0] / identity / "cpuacct.usage"
    if legacy.exists():
        return int(legacy.read_text()) / 1e9
    lines = (ACCOUNTING[1] / f"docker-{identity}.scope/cpu.stat").read_text().splitlines()
    return int(dict(line.split() for line in lines)["usage_usec"]) / 1e6
