"""Sees to it that a Docker engine runs on the machine underneath."""

import subprocess
from pathlib import Path

from tests.sandbox import docker, tools
from tests.sandbox.progress import step, wait_until
from tests.sandbox.shell import SandboxError, run

PID_FILES = {
    Path("/var/run/docker.pid"): "dockerd",
    Path("/var/run/docker/containerd/containerd.pid"): "containerd",
}
LOG_FILE = Path("/var/log/stoker-sandbox-dockerd.log")
START_DEADLINE = 60.0
# All hosts share this kernel; its 128 for root are used up by the third fleet, and dockerd then
# panics when it injects a GPU.
INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_WANTED = 8192


def ensure() -> None:
    """Start a Docker engine unless one answers already; installs it where it is missing."""
    tools.ensure("dockerd", "docker", "iptables")
    if int(INOTIFY_INSTANCES.read_text()) < INOTIFY_WANTED:
        INOTIFY_INSTANCES.write_text(f"{INOTIFY_WANTED}\n")
    if docker.answers():
        return
    with step("starting the Docker engine"):
        if Path("/run/systemd/system").is_dir():
            run(["systemctl", "start", "docker"], deadline=START_DEADLINE)
        else:
            _start_detached()
        if not wait_until(docker.answers, START_DEADLINE):
            raise SandboxError(
                f"the Docker engine did not answer within {START_DEADLINE:g} s; see {LOG_FILE}"
            )


def _start_detached() -> None:
    # dockerd refuses to start, or waits in vain, when a recycled process id stands in such a file.
    for file, program in PID_FILES.items():
        if file.exists() and not is_running(file.read_text(), program, Path("/proc")):
            file.unlink()
    with LOG_FILE.open("ab") as log:
        subprocess.Popen(
            ["dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def is_running(pid: str, program: str, proc: Path) -> bool:
    """Tell whether the process `pid` is a living `program`, looked up below `proc`."""
    try:
        lines = (proc / pid.strip() / "status").read_text().splitlines()
    except OSError:
        return False
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return status["Name"] == program and not status["State"].startswith("Z")


if __name__ == "__main__":
    ensure()
