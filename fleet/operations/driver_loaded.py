"""The kernel module: loaded, and of the version that is installed."""

from collections.abc import Generator

from msgspec import Struct
from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation
from typing_extensions import override

from fleet.operations.stop import fail


class Modules(Struct, frozen=True):
    """Versions of the module `nvidia`; empty = none."""

    loaded: str = ""
    installed: str = ""


class NvidiaModules(FactBase[Modules]):
    """Looks at the loaded and the installed module."""

    @override
    @staticmethod
    def default() -> Modules:
        return Modules()

    @override
    def command(self) -> str:
        return (
            'echo "$(cat /sys/module/nvidia/version 2>/dev/null)"; '
            'echo "$(modinfo -F version nvidia 2>/dev/null)"'
        )

    @override
    def process(self, output: list[str]) -> Modules:
        return Modules(*(line.strip() for line in output))


@operation()
def driver_loaded() -> Generator[StringCommand]:
    """Load the module where none is; refuse to go on where another version is still loaded."""
    modules = host.get_fact(NvidiaModules)
    if not modules.installed:
        yield fail("no nvidia module was built for the running kernel: see `dkms status`")
    elif not modules.loaded:
        yield StringCommand("modprobe nvidia")
    elif modules.loaded != modules.installed:
        yield fail(
            f"driver {modules.loaded} is loaded, but {modules.installed} is installed: "
            "reboot the host, then deploy again"
        )
    else:
        host.noop(f"driver {modules.loaded} is loaded")
