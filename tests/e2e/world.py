"""The `test` fleet as the end-to-end tests see it: deploy, look, wait."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.sandbox.fleet import Fleet
from tests.sandbox.gateway import Gateway
from tests.sandbox.layout import DOMAIN

REPOSITORY = Path(__file__).resolve().parents[2]
INVENTORY = "inventory/sandbox.py"
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """What one run of pyinfra's own command line did."""

    code: int
    output: str
    report: dict[str, Any]

    @property
    def changed(self) -> list[str]:
        """Operations that changed something, with the hosts, in the run's own words."""
        return [
            f"{operation['name']} on {host}"
            for operation in self._operations
            for host in operation.get("success", [])
        ]

    @property
    def failed(self) -> list[str]:
        """Operations that failed, with the hosts."""
        return [
            f"{operation['name']} on {host}"
            for operation in self._operations
            for host in operation.get("error", [])
        ]

    @property
    def hosts(self) -> int:
        """How many hosts any operation ran on (pyinfra's own total counts a host per operation)."""
        kinds = ("success", "error", "no_change")
        return len({h for o in self._operations for kind in kinds for h in o.get(kind, [])})

    @property
    def _operations(self) -> list[dict[str, Any]]:
        return list((self.report.get("results") or {}).get("operations", []))


class World:
    """One fleet and what can be done with it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.directory = fleet.directory

    @property
    def hosts(self) -> list[str]:
        """Names of all hosts, in the inventory's order."""
        return [str(host["name"]) for host in self._hosts()]

    def deploy(
        self, *arguments: str, as_json: bool = True, extra: Mapping[str, str] | None = None
    ) -> Run:
        """Run `pyinfra inventory/sandbox.py deploy.py -y`, from the repository's root."""
        command = [str(Path(sys.executable).with_name("pyinfra")), INVENTORY, "deploy.py", "-y"]
        command += [*(["--json"] if as_json else []), *arguments]
        environment = {
            **os.environ,
            "STOKER_SANDBOX": str(self.directory),
            "PYINFRA_PROGRESS": "off",
            **(extra or {}),
        }
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=1200,
            stdin=subprocess.DEVNULL,
        )
        try:
            report = json.loads(done.stdout)
        except ValueError:
            report = {}
        return Run(done.returncode, done.stdout + done.stderr, report)

    def shell(self, host: str, command: str, *, check: bool = True, deadline: float = 180) -> str:
        """Run a shell command on a host as root and return what it printed."""
        quoted = "'" + command.replace("'", "'\\''") + "'"
        done = self.fleet.ssh(host, f"sudo sh -c {quoted}", deadline=deadline, check=check)
        return done.out.strip()

    def gateway(self, host: str) -> Gateway:
        """Return a client of the host's gateway, with the good key."""
        key = (self.directory / "api-key").read_text().strip()
        address = self._host(host)["address"]
        return Gateway(address, self.directory / "ca.pem", key, name=f"{host}.{DOMAIN}")

    def address(self, host: str) -> str:
        """Return the host's address on the fleet's network."""
        return str(self._host(host)["address"])

    def status(self, host: str) -> dict[str, Any]:
        """Return the agent's status document."""
        return dict(json.loads(self.shell(host, "stokerctl status --json")))

    def engine(self, host: str, name: str = "main") -> dict[str, Any]:
        """Return one engine of the status document."""
        return dict(self.status(host)["engines"][name])

    def phase(self, host: str, name: str = "main") -> str:
        """Return the phase of an engine."""
        return str(self.engine(host, name)["state"]["phase"])

    def _host(self, name: str) -> dict[str, Any]:
        return next(host for host in self._hosts() if host["name"] == name)

    def _hosts(self) -> list[dict[str, Any]]:
        return list(json.loads((self.directory / "hosts.json").read_text()))


def wait_for(what: str, look: Callable[[], T | None], seconds: float, pause: float = 0.25) -> T:
    """Look until something true is seen; fail with what was seen last."""
    deadline = time.monotonic() + seconds
    seen: object = None
    while time.monotonic() < deadline:
        try:
            found = look()
            if found:
                return found
            seen = found
        except Exception as error:
            seen = error
        time.sleep(pause)
    raise AssertionError(f"not within {seconds:.0f} s: {what}; last seen: {seen!r}")
