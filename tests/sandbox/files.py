"""The files of a fleet's directory: made once, kept until the directory is purged."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, flock

from tests.sandbox import access, kmsg, pki
from tests.sandbox.archive import Entry
from tests.sandbox.credentials import ensure_ssh_key, ensure_tokens
from tests.sandbox.layout import FleetLayout, HostLayout
from tests.sandbox.nvml.pci import write_pci
from tests.sandbox.nvml.state import write_state
from tests.sandbox.packages import nvidia
from tests.sandbox.recipes import digest

OPERATOR_ID = 1000
OPERATOR_GROUP = 37


@contextmanager
def locked(layout: FleetLayout) -> Iterator[None]:
    """Hold the fleet's lock, so that two runs do not build the same fleet at once."""
    layout.directory.mkdir(exist_ok=True)
    with (layout.directory / "lock").open("w") as lock:
        flock(lock, LOCK_EX)
        yield


def prepare(layout: FleetLayout, hosts: Iterable[HostLayout]) -> None:
    """Make keys, certificates, tokens, and what tells how to reach `hosts`."""
    directory, hosts = layout.directory, tuple(hosts)
    pki.ensure_authority(directory)
    pki.ensure_certificate(directory, "depot", layout.depot_address)
    ensure_tokens(directory)
    ensure_ssh_key(directory / "id_ed25519", f"stoker-sandbox-{layout.name}")
    keys = {}
    for host in hosts:
        pki.ensure_certificate(directory, host.name, layout.address(host.octet))
        key = directory / "hosts" / host.name / "ssh_host_ed25519_key"
        keys[host.name] = ensure_ssh_key(key, host.name)
        if not layout.simulated(host.name).exists():
            simulate_hardware(layout, host)
    (directory / "hosts.json").write_text(access.hosts_json(layout, hosts))
    (directory / "ssh_config").write_text(access.ssh_config(layout, hosts))
    (directory / "known_hosts").write_text(access.known_hosts(layout, hosts, keys))


def simulate_hardware(layout: FleetLayout, host: HostLayout) -> None:
    """Make what `host` sees of its hardware at /sim, faults that a test left behind undone."""
    simulated = layout.simulated(host.name)
    write_pci(simulated / "pci", host.gpus, switches=host.switches)
    kmsg.make(simulated / "kmsg")
    if layout.for_tests:
        (simulated / "no-drift").touch()
    if host.gpus:
        version = nvidia.VERSIONS[0].partition("-")[0]
        write_state(simulated / "nvml.state", host.gpus, host.name, driver_version=version)


def of_every_machine(layout: FleetLayout) -> dict[str, Entry]:
    """Files that hosts and depot start with: they trust the fleet's authority."""
    authority = (layout.directory / "ca.pem").read_bytes()
    return {"/usr/local/share/ca-certificates/stoker-sandbox.crt": Entry(authority)}


def of_host(layout: FleetLayout, name: str) -> dict[str, Entry]:
    """Files that host `name` starts with: its SSH identity, and who may log in."""
    identity = layout.directory / "hosts" / name / "ssh_host_ed25519_key"
    login = (layout.directory / "id_ed25519.pub").read_bytes()
    return {
        **of_every_machine(layout),
        "/etc/ssh/ssh_host_ed25519_key": Entry(identity.read_bytes(), 0o600),
        "/etc/ssh/ssh_host_ed25519_key.pub": Entry(
            identity.with_name(identity.name + ".pub").read_bytes()
        ),
        "/home/operator/.ssh/authorized_keys": Entry(login, 0o600, OPERATOR_ID),
    }


def identity(laid: Mapping[str, Entry]) -> str:
    """Digest that differs when any of the files to lay down does."""
    return digest(*(f"{path} {entry}" for path, entry in sorted(laid.items())))
