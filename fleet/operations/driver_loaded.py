"""The kernel module: loaded, where none is."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from fleet.facts.driver import DriverState
from fleet.operations.stop import fail


@operation()
def driver_loaded() -> Generator[StringCommand]:
    """Load the module where none is; one of another version stays until the host is rebooted."""
    found = host.get_fact(DriverState)
    if found.loaded.version:
        host.noop(f"driver {found.loaded.version} is loaded")
    elif not found.built.version:
        yield fail("no nvidia module was built for the running kernel: see `dkms status`")
    elif found.nouveau:
        host.noop("nouveau holds the GPUs until the host is rebooted")
    else:
        yield StringCommand("modprobe nvidia")
