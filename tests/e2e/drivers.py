"""The fleet whose drivers move: a depot that changes what it offers, and looks at its hosts.

STOKER_E2E_KEEP=1 takes it as it is and leaves it there; the first test deploys to it.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any, Self

import msgspec

from fleet.plan.document import HostPlan, Plan
from tests.e2e.faults import Node
from tests.e2e.world import INVENTORY, REPOSITORY, Run, World
from tests.sandbox import docker
from tests.sandbox.fleet import Fleet
from tests.sandbox.nvml import build as nvml
from tests.sandbox.packages import build, nvidia

FLEET = "driver"
CHAT, PATIENCE = "/v1/chat/completions", 20.0  # seconds
STATE = "dpkg-query -W -f '${Package} ${db:Status-Abbrev} ${Version}\\n' '*nvidia*' libcuda1"


class DriverNode(Node):
    """One host and its driver."""

    def loaded(self) -> str:
        """Return the version of the loaded module."""
        return self.shell(
            "sed -n 's/.*  \\([0-9.]*\\)  Release.*/\\1/p' /proc/driver/nvidia/version"
        )

    def smi(self, query: str) -> str:
        """Return what nvidia-smi says of each GPU, or why not."""
        return self.shell(f"nvidia-smi --query-gpu={query} --format=csv,noheader", check=False)

    def packages(self) -> str:
        """Return names, states and versions of the driver's packages."""
        return self.shell(STATE)

    def boot(self) -> str:
        """Return what is another after each boot."""
        return self.shell("cat /proc/sys/kernel/random/boot_id")

    def phase(self) -> str:
        """Return the phase of its engine."""
        return str(self.state()["phase"])

    def answers(self) -> bool:
        """Say whether a client gets an answer."""
        words = {"model": "default", "messages": [{"role": "user", "content": "?"}]}
        body = {**words, "max_tokens": 1}
        gateway = self.world.gateway(self.host)
        try:
            return gateway.request("POST", CHAT, body, timeout=PATIENCE).status == 200
        except (OSError, HTTPException):
            return False


class DriverWorld(World):
    """The fleet. `wish` = what every host is wished, besides its inventory."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self._data = self.directory / "data.json"
        self.nodes = [DriverNode(self, host) for host in ("gpu-1", "old-1")]

    def wish(self, **data: Any) -> None:
        """Change the data of all hosts."""
        self._data.write_text(json.dumps({node.host: data for node in self.nodes}))

    def publish(self, *versions: str, key: str = "apt-key") -> str:
        """Let the depot offer these drivers, signed by that key; return its fingerprint."""
        return build.publish(
            self.fleet.depot.root / "apt",
            self.directory / f"{key}.asc",
            nvml.build(self.directory / "nvml"),
            nvml.SMI,
            [host.release for host in self.fleet.layout.hosts],
            versions or nvidia.VERSIONS,
        )

    @contextmanager
    def repository_down(self) -> Iterator[None]:
        """Let the depot's web server be away for a while; the Hub stays."""
        depot = self.fleet.layout.container("depot")
        docker.execute(depot, ["systemctl", "stop", "nginx"])
        try:
            yield
        finally:
            docker.execute(depot, ["systemctl", "start", "nginx"])

    def plan(self) -> dict[str, HostPlan]:
        """Return the plan, hosts by name."""
        done = subprocess.run(
            [sys.executable, "-m", "fleet.cli", "plan", INVENTORY, "--json"],
            cwd=REPOSITORY,
            env={**os.environ, "STOKER_SANDBOX": str(self.directory)},
            capture_output=True,
            check=False,
            timeout=300,
        )
        return {host.name: host for host in msgspec.json.decode(done.stdout, type=Plan).hosts}

    def empty_run(self) -> None:
        """Hold that a deploy finds nothing to do, on all hosts."""
        run = self.deploy()
        assert run.code == 0, run.output[-2000:]
        assert run.hosts == len(self.nodes)
        assert run.changed == []


class Watch:
    """Looks all the time who serves; `least` = fewest hosts that served at once."""

    def __init__(self, nodes: Sequence[DriverNode]) -> None:
        self._nodes, self._stop = nodes, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.least, self.away = len(nodes), set[str]()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        with ThreadPoolExecutor() as pool:
            while not self._stop.wait(0.3):
                answers = list(pool.map(DriverNode.answers, self._nodes))
                self.least = min(self.least, sum(answers))
                pairs = zip(self._nodes, answers, strict=True)
                self.away |= {node.host for node, serves in pairs if not serves}


@contextmanager
def driver_world(*, keep: bool) -> Iterator[DriverWorld]:
    """Give the fleet, bare; or as it is. Removed at the end, or not."""
    fleet = Fleet(FLEET)
    if not keep:
        fleet.down(purge=True)
    fleet.up()
    world = DriverWorld(fleet)
    world.wish()
    world.publish()
    try:
        yield world
    finally:
        if not keep:
            fleet.down(purge=True)


def refused(run: Run, *sentences: str) -> None:
    """Hold that a run failed, and said so."""
    assert run.code != 0
    said = " ".join(run.output.split())
    for sentence in sentences:
        assert sentence in said, run.output[-3000:]
