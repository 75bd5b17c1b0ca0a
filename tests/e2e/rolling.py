"""Three hosts that serve the same model, and what changes on them while clients are there.

STOKER_E2E_KEEP=1 takes the fleet as it is and leaves it there.
"""

import json
import os
import secrets
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.world import REPOSITORY, Run, World
from tests.sandbox import docker
from tests.sandbox.balanced import Balanced, Door, Tally
from tests.sandbox.fleet import Fleet
from tests.sandbox.gateway import Gateway
from tests.sandbox.layout import DOMAIN
from tests.sandbox.models import make_tiny

FLEET = "roll"
CLIENTS = 54
NEXT_MODEL = "stoker/tiny-next"
# Slow, so that two cores are enough for all three; its ledger outlasts its container.
ENGINE = {
    "STOKER_SIM_FAULTS": json.dumps({"tokens_per_second": 5.0, "load_seconds": 2.0}),
    "STOKER_SIM_LEDGER": "/cache",
}
LEDGERS = "cat /var/lib/stoker/engines/*/cache/*/requests.jsonl 2>/dev/null || true"
SERVICES = ("docker-registry", "hub", "nginx")  # of the depot
# What a host that was not touched has kept: every file of ours that it serves with, and the time of
# its last change. What is to come is laid beside it on all hosts, before the first one changes.
FINGERPRINT = (
    "find /etc/stoker /etc/nginx /etc/systemd/system /etc/cron.d /etc/docker /usr/local/bin"
    " /opt/stoker/venv /opt/stoker/releases/current /var/lib/stoker/manifest.json -xdev"
    " -not -path '/etc/stoker/coming*' -printf '%p %T@ %s %l\\n' 2>/dev/null | sort"
)


class RollWorld(World):
    """The fleet. What is wished of all hosts adds up; `keys` are what clients use."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self._wishes: dict[str, Any] = {}
        self.key = (self.directory / "api-key").read_text().split()[-1]

    def wish(self, **data: Any) -> None:
        """Change data of all hosts; None takes a wish back."""
        self._wishes |= data
        self._wishes = {key: value for key, value in self._wishes.items() if value is not None}
        wanted = {"engine_environment": ENGINE, "engine_gpus": 1} | self._wishes
        (self.directory / "data.json").write_text(json.dumps(dict.fromkeys(self.hosts, wanted)))

    @staticmethod
    def engine_environment(**more: str) -> dict[str, str]:
        """Return what the engines need here, and more."""
        return {**ENGINE, **more}

    def gateway(self, host: str) -> Gateway:
        """See `World.gateway`; with the key of now."""
        ca = self.directory / "ca.pem"
        return Gateway(self.address(host), ca, self.key, name=f"{host}.{DOMAIN}")

    def doors(self) -> dict[str, Door]:
        """Return the way to each gateway."""
        tls = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        return {
            host: Door(f"{host}.{DOMAIN}", self.address(host), tls, lambda: self.key)
            for host in self.hosts
        }

    def cli(self, *arguments: str) -> tuple[int, str]:
        """Run `stoker`; return its exit code and what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "fleet.cli", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "STOKER_SANDBOX": str(self.directory), "PYINFRA_PROGRESS": "off"},
            capture_output=True,
            check=False,
            text=True,
            timeout=900,
            stdin=subprocess.DEVNULL,
        )
        return done.returncode, done.stdout + done.stderr

    def current(self, host: str) -> str:
        """Return the release that a host has converged to."""
        return self.shell(host, "readlink /opt/stoker/releases/current")

    def fingerprint(self, host: str) -> str:
        """Return what changes when anything is changed there."""
        runs = "docker ps -aq --no-trunc; systemctl show -p MainPID stoker-agent nginx docker"
        return self.shell(host, f"{FINGERPRINT}; {runs}")

    def ledger(self) -> dict[str, dict[str, int]]:
        """Return what happened at any engine to each request that a gateway let through, by id."""
        found: dict[str, dict[str, int]] = {}
        for host in self.hosts:
            for line in self.shell(host, LEDGERS).splitlines():
                request, event = json.loads(line)
                if request:
                    counts = found.setdefault(request, {})
                    counts[event] = counts.get(event, 0) + 1
        return found

    # -- changes -----------------------------------------------------------------------------------

    def next_image(self) -> str:
        """Return another build of the engine: the same program under another digest."""
        depot = self.fleet.depot
        known = depot.description.read()["images"]
        if "tgi-next" not in known:
            local = docker.docker("images", "-q", "stoker-local/tgi-sim").out.split()[0]
            made = docker.docker("create", local).out.strip()
            docker.docker(
                "commit", "--change", "LABEL stoker.build=next", made, "stoker-local/next"
            )
            docker.docker("rm", made)
            depot.push("stoker-local/next", "stoker/tgi-sim", "tgi-next")
            known = depot.description.read()["images"]
        return str(known["tgi-next"])

    def next_model(self) -> str:
        """Return the commit of a second model, in the depot's Hub."""
        with tempfile.TemporaryDirectory(dir=self.directory) as scratch:
            made = Path(scratch) / "model"
            make_tiny(made)
            (made / "README.md").write_text("Another one.\n")
            return self.fleet.depot.add_model(NEXT_MODEL, made)

    def rotate_keys(self, deploy: Callable[[], Run]) -> Iterator[Run]:
        """Give clients a fresh key: both are good, clients change over, the old one goes."""
        file, old, new = self.directory / "api-key", self.key, "sk-" + secrets.token_hex(24)
        file.write_text(f"app {old}\napp {new}\n")
        yield deploy()
        self.key = new
        time.sleep(1.0)
        file.write_text(f"app {new}\n")
        yield deploy()

    @contextmanager
    def depot_down(self) -> Iterator[None]:
        """Let registry, Hub and apt be out of reach."""
        container = self.fleet.layout.container("depot")
        docker.execute(container, ["systemctl", "stop", *SERVICES])
        try:
            yield
        finally:
            docker.execute(container, ["systemctl", "start", *SERVICES])


@contextmanager
def load(
    world: RollWorld, clients: int = CLIENTS, hosts: Collection[str] = ()
) -> Iterator[Balanced]:
    """Keep requests under way while the block lasts; at its end all of them have ended.

    `hosts`: only these are known to the clients.
    """
    doors = {host: door for host, door in world.doors().items() if host in hosts or not hosts}
    with Balanced(doors, clients) as balanced:
        time.sleep(5.0)
        yield balanced


def books(
    world: RollWorld, tally: Tally, before: Mapping[str, Mapping[str, int]]
) -> dict[str, int]:
    """Compare what clients have with what engines did: the numbers of what is wrong, and of all."""
    ledger = {name: events for name, events in world.ledger().items() if name not in before}
    answered = set(tally.answered)
    finished = {name for name, events in ledger.items() if events.get("finished")}
    return {
        "requests": len(tally.answered),
        "streams": tally.streams,
        "lost": len(tally.lost),
        # An answer of which the engines know nothing would be one that the count missed.
        "unknown_to_engines": len(answered - finished),
        "duplicated": len(tally.answered)
        - len(answered)
        + sum(events.get("received", 0) > 1 for events in ledger.values())
        + len(finished - answered),
        "dropped_by_engines": sum(events.get("dropped", 0) for events in ledger.values()),
        "sent_though_turned_away": len(set(tally.turned_away) & ledger.keys()),
        "tried_elsewhere": sum(tally.elsewhere.values()),
    }


@contextmanager
def roll_world(*, keep: bool) -> Iterator[RollWorld]:
    """Give the fleet, deployed, with a release to go back to; removed at the end, or not."""
    fleet = Fleet(FLEET)
    if not keep:
        fleet.down(purge=True)
    fleet.up()
    world = RollWorld(fleet)
    world.wish()
    run = world.deploy()
    assert run.code == 0, run.output[-3000:]
    try:
        yield world
    finally:
        if not keep:
            fleet.down(purge=True)
