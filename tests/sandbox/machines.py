"""Starts, restarts and removes the containers that behave like machines."""

import socket
from collections.abc import Mapping
from typing import Any

from tests.sandbox import docker, outer
from tests.sandbox.archive import Entry, pack
from tests.sandbox.docker import CONFIG_LABEL, FLEET_LABEL
from tests.sandbox.machine import Machine
from tests.sandbox.progress import wait_until
from tests.sandbox.shell import SandboxError

BOOT_DEADLINE = 90.0
STOP_SECONDS = "30"
UP_STATES = ("running", "degraded")


def ensure(machine: Machine, files: Mapping[str, Entry], *, login: bool = True) -> bool:
    """Bring `machine` up as described, its state kept where it already is; tell if it is new.

    `files` are laid into a new one before it boots; `login` says whether it takes SSH connections.
    """
    known = docker.inspect(machine.container)
    if known and not _usable(known, machine):
        discard(machine)
        known = None
    if known is None:
        _create(machine, files)
    if known is None or not known["State"]["Running"]:
        docker.docker("start", machine.container)
    wait_booted(machine)
    if login:
        wait_login(machine)
    if known is None:
        docker.execute(machine.container, ["update-ca-certificates"])
    return known is None


def discard(machine: Machine) -> None:
    """Remove the container and the volumes of `machine`, if they are there."""
    if docker.inspect(machine.container):
        docker.remove("container", [machine.container])
    there = docker.labelled("volume", machine.layout.name)
    docker.remove("volume", [name for name in machine.volumes if name in there])


def reboot(machine: Machine) -> None:
    """Shut systemd down cleanly and boot again; files stay, /run, /tmp and processes do not."""
    docker.docker("restart", "--time", STOP_SECONDS, machine.container, deadline=BOOT_DEADLINE)
    wait_booted(machine)
    wait_login(machine)


def wait_booted(machine: Machine) -> None:
    """Wait until systemd has reached its target."""
    if not wait_until(lambda: system_state(machine.container) in UP_STATES, BOOT_DEADLINE):
        raise SandboxError(_boot_failure(machine))


def wait_login(machine: Machine) -> None:
    """Wait until sshd takes connections."""
    address = machine.layout.address(machine.octet)
    if not wait_until(lambda: _listens(address, 22), 10):
        raise SandboxError(f"{machine.name} booted but takes no SSH connection at {address}:22")


def system_state(container: str) -> str:
    """Word of `systemctl is-system-running`, or "stopped" where the container does not run."""
    asked = docker.execute(container, ["systemctl", "is-system-running"], check=False)
    return asked.out.strip() or "stopped"


def _usable(known: Mapping[str, Any], machine: Machine) -> bool:
    """Tell whether a container is as `machine` says; one never started may lack its files."""
    same = known["Config"]["Labels"].get(CONFIG_LABEL) == machine.labels[CONFIG_LABEL]
    return bool(same and known["State"]["Status"] != "created")


def _create(machine: Machine, files: Mapping[str, Entry]) -> None:
    for volume in machine.volumes:
        label = f"{FLEET_LABEL}={machine.layout.name}"
        docker.docker("volume", "create", "--label", label, volume)
    docker.docker(*machine.arguments())
    laid = pack({**outer.settings(), **files})
    docker.docker("cp", "-", f"{machine.container}:/", stdin=laid)


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


def _boot_failure(machine: Machine) -> str:
    state = system_state(machine.container)
    logs = docker.docker("logs", "--tail", "3", machine.container, check=False)
    jobs = docker.execute(machine.container, ["systemctl", "list-jobs", "--no-legend"], check=False)
    said = " | ".join((logs.out + logs.err + jobs.out).splitlines()[-5:]) or "nothing"
    return f"{machine.name} is {state!r} after {BOOT_DEADLINE:g} s, not running; it said: {said}"
