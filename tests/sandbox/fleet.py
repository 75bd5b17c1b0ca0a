"""One simulated fleet: bring it up, look at it, take it down."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.sandbox import depot, docker, dockerd, files, images, machines, recipes, supplies, tools
from tests.sandbox.depot import Depot
from tests.sandbox.docker import DIRECTORY_LABEL, FLEET_LABEL
from tests.sandbox.layout import DEPOT_OCTET, REPOSITORY, HostLayout, fleet_layout
from tests.sandbox.machine import Machine
from tests.sandbox.progress import say, step
from tests.sandbox.shell import Completed, SandboxError, run
from tests.sandbox.together import together


@dataclass(frozen=True)
class HostStatus:
    """How one host (or the depot) is: `state` is systemd's word, "stopped", or "absent"."""

    name: str
    address: str
    state: str


class Fleet:
    """The fleet called `name` ("demo" or "test"), its files below `repository`."""

    def __init__(self, name: str, repository: Path = REPOSITORY) -> None:
        self.layout = fleet_layout(name, repository)
        self.directory = self.layout.directory
        self.depot = Depot(self.layout)

    def up(self, *names: str) -> None:
        """Bring up the depot and the hosts `names` (all that are not on request without names)."""
        chosen = self.layout.chosen(names)
        tools.ensure("debootstrap", "gpg", "gcc", "ssh")
        dockerd.ensure()
        with files.locked(self.layout):
            self._remove_foreign()
            hosts = self._with_present(chosen)
            files.prepare(self.layout, hosts)
            self._ensure_network()
            together(
                *(partial(self._start_host, host) for host in hosts),
                partial(self._start_depot, hosts),
            )

    def down(self, *, purge: bool = False) -> None:
        """Remove all containers, volumes and networks of the fleet; with `purge` its files too."""
        if docker.answers():
            with step(f"removing fleet {self.layout.name}"):
                self._remove_all()
        if purge:
            shutil.rmtree(self.directory, ignore_errors=True)

    def status(self) -> list[HostStatus]:
        """Tell how every host of the fleet is."""
        machines_of = [(host.name, host.octet) for host in self.layout.hosts]
        return [
            HostStatus(name, self.layout.address(octet), self._state(name))
            for name, octet in [*machines_of, (depot.NAME, DEPOT_OCTET)]
        ]

    def reset_host(self, name: str) -> None:
        """Throw host `name` away and start it again, bare; its keys and address stay."""
        host = self._present(name)
        with step(f"resetting {name} to a bare host"):
            machines.discard(self._machine(host))
            files.simulate_hardware(self.layout, host)
            self._start_host(host)

    def reboot_host(self, name: str) -> None:
        """Reboot host `name`: systemd stops everything, and boots again with the same files."""
        with step(f"rebooting {name}"):
            machines.reboot(self._machine(self._present(name)))

    def ssh(
        self, name: str, command: str, *, deadline: float = 60, check: bool = True
    ) -> Completed:
        """Run a shell `command` on host `name` as the operator, over SSH."""
        self.layout.host(name)
        config = str(self.directory / "ssh_config")
        return run(["ssh", "-F", config, name, command], deadline=deadline, check=check)

    def simulated(self, name: str) -> Path:
        """Directory that host `name` sees at /sim: nvml.state, pci/, kmsg."""
        return self.layout.simulated(self.layout.host(name).name)

    def machine(self, name: str) -> Machine:
        """How host `name` is started."""
        return self._machine(self._present(name))

    def _present(self, name: str) -> HostLayout:
        host = self.layout.host(name)
        if docker.inspect(self.layout.container(name)) is None:
            raise SandboxError(f"{name} is not up; `up --fleet {self.layout.name}` starts it")
        return host

    def _state(self, name: str) -> str:
        container = self.layout.container(name)
        if docker.inspect(container) is None:
            return "absent"
        return machines.system_state(container)

    def _start_depot(self, hosts: tuple[HostLayout, ...]) -> None:
        together(self.depot.start, partial(supplies.make, self.depot, hosts))
        supplies.push(self.depot, hosts)

    def _start_host(self, host: HostLayout) -> None:
        images.ensure(recipes.host(host.release))
        machine = self._machine(host)
        if machines.ensure(machine, files.of_host(self.layout, host.name)):
            say(f"{host.name} is up, bare, at {self.layout.address(host.octet)}")

    def _machine(self, host: HostLayout) -> Machine:
        simulated = self.layout.simulated(host.name)
        return Machine(
            layout=self.layout,
            name=host.name,
            octet=host.octet,
            image=recipes.host(host.release).reference,
            binds={simulated: "/sim", simulated / "pci": "/sys/bus/pci/devices:ro"},
            # Overlay on overlay does not work, so the nested Docker engine gets a volume.
            volumes={f"{self.layout.container(host.name)}-docker": "/var/lib/docker"},
            identity=files.identity(files.of_host(self.layout, host.name)),
            cgroup_version=docker.cgroup_version(),
        )

    def _with_present(self, chosen: Iterable[HostLayout]) -> tuple[HostLayout, ...]:
        """Hosts chosen now and those that are there already, in the layout's order."""
        wanted = {host.name for host in chosen}
        there = set(docker.labelled("container", self.layout.name))
        return tuple(
            host
            for host in self.layout.hosts
            if host.name in wanted or self.layout.container(host.name) in there
        )

    def _ensure_network(self) -> None:
        if self.layout.network in docker.labelled("network", self.layout.name):
            return
        label = f"{FLEET_LABEL}={self.layout.name}"
        subnet = ("--subnet", str(self.layout.subnet))
        docker.docker("network", "create", "--label", label, *subnet, self.layout.network)

    def _remove_foreign(self) -> None:
        """Remove what another clone of the repository left under this fleet's name."""
        here = str(self.directory)
        for name in docker.labelled("container", self.layout.name):
            found = docker.inspect(name)
            if found and found["Config"]["Labels"].get(DIRECTORY_LABEL) != here:
                say(f"fleet {self.layout.name} belongs to another directory: replacing it")
                self._remove_all()
                return

    def _remove_all(self) -> None:
        for kind in ("container", "volume", "network"):
            docker.remove(kind, docker.labelled(kind, self.layout.name))
