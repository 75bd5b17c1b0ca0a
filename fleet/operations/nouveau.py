"""nouveau, the kernel's own driver for NVIDIA's GPUs, kept from taking them at the next boot."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation
from typing_extensions import override

from fleet.operations.file import place

PATH = "/etc/modprobe.d/stoker-nouveau.conf"
TEXT = "# Written by Stoker.\nblacklist nouveau\noptions nouveau modeset=0\n"


class Blacklists(FactBase[list[str]]):
    """Files that keep nouveau away, ours too."""

    @override
    @staticmethod
    def default() -> list[str]:
        return []

    @override
    def command(self) -> str:
        return (
            "grep -lsE '^[[:space:]]*blacklist[[:space:]]+nouveau' /etc/modprobe.d/*.conf "
            "/usr/lib/modprobe.d/*.conf /lib/modprobe.d/*.conf || true"
        )

    @override
    def process(self, output: list[str]) -> list[str]:
        return output


@operation()
def nouveau_off() -> Generator[StringCommand]:
    """Blacklist it, unless the driver's packages did; the initial ramdisk must know too."""
    found = host.get_fact(Blacklists)
    if found and PATH not in found:
        host.noop(f"{found[0]} keeps nouveau away")
        return
    yield from place(PATH, TEXT, "644", "root:root")
    if not found:
        yield StringCommand("! command -v update-initramfs >/dev/null || update-initramfs -u")
