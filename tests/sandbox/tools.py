"""Sees to it that the machine underneath has the tools that the sandbox uses.

`python -m tests.sandbox.tools COMMAND…` installs what is missing of these commands.
"""

import os
import shutil
import sys

from tests.sandbox.progress import step
from tests.sandbox.shell import SandboxError, run

PACKAGES = {
    "dockerd": ("docker.io",),
    "docker": ("docker-cli",),
    "iptables": ("iptables",),
    "debootstrap": ("debootstrap",),
    "gpg": ("gnupg",),
    "dpkg-deb": ("dpkg",),
    "ssh": ("openssh-client",),
    "gcc": ("gcc", "libc6-dev"),
    "busybox": ("busybox-static",),
    "haproxy": ("haproxy",),
    "nginx": ("nginx", "libnginx-mod-http-js"),
    "dbus-daemon": ("dbus",),
    "promtool": ("prometheus",),
    "amtool": ("prometheus-alertmanager",),
    "systemd-analyze": ("systemd",),
    "etcd": ("etcd-server",),
    "chromium": ("chromium", "fonts-dejavu-core"),
}


def ensure(*commands: str) -> None:
    """Install the Debian packages of those `commands` that are missing."""
    missing = [command for command in commands if not _found(command)]
    if not missing:
        return
    packages = [package for command in missing for package in PACKAGES[command]]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SandboxError(f"please install {', '.join(packages)} (needed: {', '.join(missing)})")
    with step(f"installing {', '.join(packages)}"):
        _install(packages)
    for command in missing:
        if not _found(command):
            raise SandboxError(f"{command} is still missing after installing {packages}")


def _found(command: str) -> bool:
    return shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def _install(packages: list[str]) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update"], deadline=300, env=quiet)
    if "docker-cli" in packages and not _known("docker-cli"):
        packages.remove("docker-cli")  # Debian 12 has the client inside docker.io
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    run(install, deadline=600, env=quiet)


def _known(package: str) -> bool:
    return bool(run(["apt-cache", "search", "--names-only", f"^{package}$"]).out.strip())


if __name__ == "__main__":
    ensure(*sys.argv[1:])
