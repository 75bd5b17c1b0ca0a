"""How a simulated host is started: the arguments of `docker create`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.docker import CONFIG_LABEL, DIRECTORY_LABEL, FLEET_LABEL
from tests.sandbox.layout import DOMAIN, FleetLayout
from tests.sandbox.recipes import digest

# systemd and a nested Docker engine need these. Not --privileged: it fails where the machine lacks
# CAP_SYS_RESOURCE, and would show the machine's own devices to the host.
CAPABILITIES = [
    "SYS_ADMIN",
    "NET_ADMIN",
    "NET_RAW",
    "SYS_PTRACE",
    "SYS_MODULE",
    "MKNOD",
    "AUDIT_WRITE",
    "SYSLOG",
    "DAC_READ_SEARCH",
    "SYS_BOOT",
    "SYS_TIME",
    "SYS_NICE",
    "SYS_CHROOT",
    "LINUX_IMMUTABLE",
    "IPC_LOCK",
    "IPC_OWNER",
]
SECURITY = ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")
TEMPORARY = ("/run", "/run/lock", "/tmp")
LEGACY_CGROUPS = (
    "SYSTEMD_PROC_CMDLINE=systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
)


@dataclass(frozen=True)
class Machine:
    """A container that behaves like a machine: systemd is process 1."""

    layout: FleetLayout
    name: str
    octet: int
    image: str
    binds: Mapping[Path, str]
    volumes: Mapping[str, str]
    identity: str
    cgroup_version: int
    publish: tuple[str, ...] = ()

    @property
    def container(self) -> str:
        """Docker's name of the container."""
        return self.layout.container(self.name)

    @property
    def labels(self) -> dict[str, str]:
        """Labels by which the container is found again, and found to be out of date."""
        return {
            FLEET_LABEL: self.layout.name,
            DIRECTORY_LABEL: str(self.layout.directory),
            CONFIG_LABEL: digest(*self._flags(), self.image, self.identity),
        }

    def arguments(self) -> list[str]:
        """Give the arguments that follow `docker`."""
        labels = _each("--label", *(f"{key}={value}" for key, value in self.labels.items()))
        # A host that reboots itself comes back; it is no other host for that.
        again = ("--restart", "unless-stopped")
        return ["create", *labels, *again, *self._flags(), self.image, "/usr/sbin/sandbox-init"]

    def _flags(self) -> list[str]:
        network = self.layout.network
        cgroups = ("--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw")
        legacy = _each("--env", LEGACY_CGROUPS) if self.cgroup_version == 1 else []
        address = self.layout.address(self.octet)
        return [
            *("--name", self.container, "--hostname", self.name),
            *("--network", network, "--ip", address),
            *("--network-alias", f"{self.name}.{DOMAIN}"),
            *("--stop-signal", "SIGRTMIN+3", "--shm-size", "1g"),
            *_each("--cap-add", *CAPABILITIES),
            *_each("--security-opt", *SECURITY),
            *_each("--tmpfs", *TEMPORARY),
            *_each("--volume", *(f"{source}:{target}" for source, target in self.binds.items())),
            *_each("--volume", *(f"{name}:{target}" for name, target in self.volumes.items())),
            *_each("--publish", *self.publish),
            *cgroups,
            *legacy,
        ]


def _each(flag: str, *values: str) -> list[str]:
    return [part for value in values for part in (flag, value)]
