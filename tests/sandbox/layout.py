"""Which fleets there are, which hosts they have, and where their files lie. Pure."""

from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DEPOT_OCTET = 2
DOMAIN = "sandbox"


@dataclass(frozen=True)
class HostLayout:
    """One simulated host.

    `release` is its Debian codename, `octet` the end of its address; `engine` is what it will run:
    "tgi" (the simulator), "vllm" (a real one), or nothing. Hosts `on_request` come up only when
    named. `switches` = NVSwitches on its PCI bus.
    """

    name: str
    release: str
    gpus: int
    octet: int
    engine: str = "tgi"
    on_request: bool = False
    switches: int = 0


@dataclass(frozen=True)
class FleetLayout:
    """One fleet: a network, a directory, its hosts, and a depot.

    `for_tests`: cron checks none of its hosts for drift; a test is to meet only what it asks for.
    """

    name: str
    directory: Path
    subnet: IPv4Network
    hosts: tuple[HostLayout, ...]
    for_tests: bool

    @property
    def network(self) -> str:
        """Docker's name of the fleet's network."""
        return f"stoker-{self.name}"

    def address(self, octet: int) -> str:
        """Give the address that ends in `octet`."""
        return str(self.subnet.network_address + octet)

    @property
    def depot_address(self) -> str:
        """Address of the depot."""
        return self.address(DEPOT_OCTET)

    def container(self, name: str) -> str:
        """Docker's name of the container of host `name` (or of the depot)."""
        return f"stoker-{self.name}-{name}"

    def simulated(self, name: str) -> Path:
        """Directory that host `name` sees at /sim."""
        return self.directory / "hosts" / name / "sim"

    def host(self, name: str) -> HostLayout:
        """Give the host called `name`."""
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.hosts)
        raise LookupError(f"fleet {self.name} has no host {name!r}; it has {known}")

    def chosen(self, names: tuple[str, ...]) -> tuple[HostLayout, ...]:
        """Give the hosts called `names`; without names those that are not only on request."""
        if names:
            return tuple(self.host(name) for name in names)
        return tuple(host for host in self.hosts if not host.on_request)


_GPU_HOSTS = (HostLayout("gpu-1", "trixie", 2, 11), HostLayout("gpu-2", "trixie", 2, 12))
_REAL = HostLayout("real-1", "trixie", 0, 13, engine="vllm", on_request=True)

FLEETS: dict[str, tuple[str, str, tuple[HostLayout, ...]]] = {
    "demo": (
        ".sandbox",
        "10.87.0.0/24",
        (*_GPU_HOSTS, _REAL),
    ),
    "test": (
        ".sandbox-test",
        "10.88.0.0/24",
        (*_GPU_HOSTS, HostLayout("old-1", "bookworm", 0, 13)),
    ),
    # By itself: `test` is purged, and then its depot's copy of the image of 2 GB would go with it.
    "real": (".sandbox-real", "10.89.0.0/24", (_REAL,)),
}

# A host that somebody set up by hand before it is deployed to.
FLEETS["tutorial"] = (".sandbox-tutorial", "10.85.0.0/24", (_GPU_HOSTS[0],))

# Its depot changes what it offers, and its hosts are rebooted: nothing for others to share.
FLEETS["driver"] = (
    ".sandbox-driver",
    "10.86.0.0/24",
    (
        HostLayout("gpu-1", "trixie", 1, 11, switches=4),
        HostLayout("old-1", "bookworm", 1, 13),
    ),
)

# Three hosts that serve the same model: changes go over them one after the other. Each has a GPU
# to spare, for a copy of its engine.
FLEETS["roll"] = (
    ".sandbox-roll",
    "10.84.0.0/24",
    tuple(HostLayout(f"gpu-{n}", "trixie", 2, 10 + n) for n in (1, 2, 3)),
)

# As many behind a pair of balancers, which are bare hosts without a GPU.
_BALANCER = HostLayout("lb-1", "trixie", 0, 20, engine="")
FLEETS["balanced"] = (
    ".sandbox-balanced",
    "10.83.0.0/24",
    (
        *(HostLayout(f"gpu-{n}", "trixie", 1, 10 + n) for n in (1, 2, 3)),
        _BALANCER,
        HostLayout("lb-2", "bookworm", 0, 21, engine=""),
    ),
)

# Two that serve, a balancer, and two that watch them; these have no engine (inventory/sandbox.py).
_EYES = (
    HostLayout("eye-1", "trixie", 0, 31, engine="", on_request=True),
    HostLayout("eye-2", "bookworm", 0, 32, engine="", on_request=True),
)
FLEETS["watched"] = (".sandbox-watched", "10.82.0.0/24", (*_GPU_HOSTS, _BALANCER, *_EYES))

# For work on one thing beside another: a small fleet each.
_DEV = (
    HostLayout("gpu-1", "trixie", 2, 11),
    HostLayout("old-1", "bookworm", 0, 13),
    replace(_BALANCER, on_request=True),
    *_EYES,
)
FLEETS |= {f"dev-{n}": (f".sandbox-dev-{n}", f"10.9{n}.0.0/24", _DEV) for n in range(1, 9)}


def fleet_layout(name: str, repository: Path = REPOSITORY) -> FleetLayout:
    """Give the layout of fleet `name`, its directory below `repository`."""
    if name not in FLEETS:
        raise LookupError(f"there is no fleet {name!r}; there are {', '.join(FLEETS)}")
    directory, subnet, hosts = FLEETS[name]
    place, network = repository / directory, IPv4Network(subnet)
    return FleetLayout(name, place, network, hosts, for_tests=name != "demo")
