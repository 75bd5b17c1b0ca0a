"""The `HostSpec` of every host of an inventory, made and checked once."""

from collections.abc import Iterable
from functools import lru_cache

from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory

from agent.errors import SpecError
from agent.spec import HostSpec
from fleet import control_files, copies, peering, rollout
from fleet.driver import branches
from fleet.errors import RefusedError
from fleet.models import locked
from fleet.plan import foreseen
from fleet.release import given


def of(host: Host) -> HostSpec:
    """Return the spec of one host; raise `RefusedError` with the faults of ALL hosts."""
    return of_inventory(host.inventory)[host.name]


@lru_cache(maxsize=1)
def of_inventory(inventory: Inventory) -> dict[str, HostSpec]:
    """Return the specs by host name, in inventory order; raise `RefusedError` with every fault."""
    specs, faults = examine(inventory)
    if faults:
        raise RefusedError(faults)
    return specs


def examine(inventory: Iterable[Host]) -> tuple[dict[str, HostSpec], list[str]]:
    """Make each host's spec from its data; return what was made, and every fault. No connection."""
    specs: dict[str, HostSpec] = {}
    addresses: dict[str, str] = {}
    faults: list[str] = []
    for host in inventory:
        try:
            data = host.data.dict()
            # On the node itself pyinfra calls every host `@local`.
            spec = HostSpec.from_data(str(data.get("stoker_name", host.name)), data)
        except SpecError as error:
            faults.extend(str(error).splitlines())
            continue
        specs[host.name] = spec
        addresses[host.name] = peering.address(spec, data.get("ssh_hostname"))
        wrong = (
            *control_files.faults(spec),
            *locked.faults(spec),
            *foreseen.faults(spec),
            *branches.faults(spec.driver),
        )
        faults.extend(f"{host.name}: {fault}" for fault in wrong)
    if given.release() is None:  # a node knows no other hosts
        faults.extend(rollout.faults(specs))
        faults.extend(copies.faults(specs))
        faults.extend(peering.faults(specs, addresses))
        specs = peering.resolved(specs, addresses)
    return specs, faults
