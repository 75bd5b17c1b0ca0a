"""One host of the sandbox's fleet `demo`, deployed to by the real deploy, as a benchmark uses it.

`python -m benchmarks.host` brings it up and deploys; `make demo-down` removes it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from agent.client import Agent, UnreachableError
from agent.model import Phase
from agent.reports import Started
from agent.snapshot import Snapshot
from benchmarks.figures import CannotMeasureError
from benchmarks.outlets import AgentCheck, Chat, Readyz
from tests.sandbox import docker, kmsg
from tests.sandbox.fleet import Fleet
from tests.sandbox.gateway import Gateway
from tests.sandbox.layout import DOMAIN, REPOSITORY
from tests.sandbox.nvml.state import gpu_pci

NAME, ENGINE = "gpu-1", "main"
HOG = "stoker-bench-hog"
HOW = "run `python -m benchmarks.host` first"


class Host:
    """A host that serves. `root` is its file system as this machine sees it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        found = docker.inspect(fleet.layout.container(NAME)) if docker.answers() else None
        if not found or not found["State"]["Running"]:
            raise CannotMeasureError(f"the sandbox's host {NAME} is not up; {HOW}")
        self.root = Path(f"/proc/{found['State']['Pid']}/root")
        self.agent = Agent(str(self.root / "run/stoker/agent.sock"))
        self.address = fleet.layout.address(fleet.layout.host(NAME).octet)
        self.key = (fleet.directory / "api-key").read_text().strip()
        self.ca = fleet.directory / "ca.pem"
        try:
            self.wait_until_serving(60.0)
        except UnreachableError as error:
            raise CannotMeasureError(f"{error}; {HOW}") from None

    @property
    def outlets(self) -> tuple[Readyz, AgentCheck, Chat]:
        """All that says whether traffic is welcome."""
        return (
            Readyz(self.address, 9750),
            AgentCheck(self.address, 9751, ENGINE),
            Chat(self.address, self.ca, self.key, f"{NAME}.{DOMAIN}"),
        )

    @property
    def gateway_made_of(self) -> tuple[str, Path, str, int, str]:
        """What a client of its gateway is made of."""
        return self.address, self.ca, self.key, 443, f"{NAME}.{DOMAIN}"

    @property
    def gateway(self) -> Gateway:
        """A client of its gateway."""
        return Gateway(*self.gateway_made_of)

    def say(self, *lines: str) -> None:
        """Let the kernel log say `lines`."""
        kmsg.write(self.fleet.simulated(NAME) / "kmsg", *lines)

    def xid(self, gpu: int, number: int, text: str) -> None:
        """Let the driver tell an Xid in the kernel log."""
        self.say(kmsg.xid(gpu_pci(gpu), number, text))

    def shell(self, command: str) -> str:
        """Run a command as root and return what it printed."""
        quoted = command.replace("'", "'\\''")
        return self.fleet.ssh(NAME, f"sudo sh -c '{quoted}'").out.strip()

    def started(self) -> Started:
        """What the engine runs as."""
        report = (self.root / f"run/stoker/engines/{ENGINE}.json").read_bytes()
        return msgspec.json.decode(report, type=Started)

    def wait_until_serving(self, seconds: float = 120.0) -> Snapshot:
        """Return when the engine serves."""
        deadline = time.monotonic() + seconds
        while (status := self.agent.status()).engines[ENGINE].state.phase is not Phase.SERVING:
            if time.monotonic() > deadline:
                state = status.engines[ENGINE].state
                raise CannotMeasureError(f"the engine is {state.phase}: {state.message}")
            time.sleep(0.05)
        return status

    def acknowledge(self) -> None:
        """Close every incident."""
        for one in self.agent.status().incidents:
            self.agent.acknowledge(one.id, "benchmark", "injected")

    def engine_process(self) -> int:
        """Return the number that the engine's main process has on this machine."""
        started = self.started()
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                told = (line.split() for line in status.read_text().splitlines())
                numbers = next(words for words in told if words[:1] == ["NSpid:"])
                groups = (status.parent / "cgroup").read_text()
            except OSError:  # it has ended while we looked
                continue
            if started.container in groups and str(started.pid) in numbers[2:3]:
                return int(status.parent.name)
        raise CannotMeasureError("the engine's main process cannot be found on this machine")

    @contextmanager
    def hogs(self) -> Iterator[None]:
        """Keep every core busy, as ordinary services beside the agent's."""
        names = [f"{HOG}-{number}" for number in range(len(os.sched_getaffinity(0)))]
        fence = "-p RuntimeMaxSec=1200"
        for name in names:
            self.shell(f"systemd-run -q --unit={name} {fence} sh -c 'while :; do :; done'")
        try:
            yield
        finally:
            self.shell(f"systemctl stop '{HOG}-*'")


def prepare() -> None:
    """Bring the host up and deploy to it; `CannotMeasureError` when the deploy fails."""
    fleet = Fleet("demo")
    fleet.up(NAME)
    pyinfra = str(Path(sys.executable).with_name("pyinfra"))
    command = [pyinfra, "inventory/sandbox.py", "deploy.py", "-y", "--limit", NAME]
    environment = {**os.environ, "STOKER_SANDBOX": str(fleet.directory), "PYINFRA_PROGRESS": "off"}
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
        raise CannotMeasureError(f"the deploy ended with {done.returncode}")


def main() -> int:
    """Prepare, and say where it is."""
    prepare()
    host = Host(Fleet("demo"))
    print(json.dumps({"host": NAME, "address": host.address, "root": str(host.root)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
