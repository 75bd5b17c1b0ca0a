"""Sees to it that a Docker engine runs on the machine underneath."""

import subprocess
from pathlib import Path

from tests.sandbox import docker, tools
from tests.sandbox.progress import step, wait_until
from tests.sandbox.shell import SandboxError, run

PID_FILE = Path("/var/run/docker.pid")
LOG_FILE = Path("/var/log/stoker-sandbox-dockerd.log")
START_DEADLINE = 60.0


def ensure() -> None:
    """Start a Docker engine unless one answers already; installs it where it is missing."""
    tools.ensure("dockerd", "docker", "iptables")
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
    if PID_FILE.exists() and not is_engine(PID_FILE.read_text(), Path("/proc")):
        PID_FILE.unlink()  # dockerd refuses to start when a recycled process id stands there
    with LOG_FILE.open("ab") as log:
        subprocess.Popen(
            ["dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def is_engine(pid: str, proc: Path) -> bool:
    """Tell whether the process `pid` is a Docker engine, looked up below `proc`."""
    try:
        return (proc / pid.strip() / "comm").read_text().strip() == "dockerd"
    except OSError:
        return False
