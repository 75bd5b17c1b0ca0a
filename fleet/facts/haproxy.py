"""Which HAProxy is installed, and what of the network its configuration depends on."""

import re

from msgspec import Struct
from pyinfra.api import FactBase
from typing_extensions import override

INTERFACE_LOOK = (
    "{ ip -o route show default; ip -6 -o route show default; } 2>/dev/null | "
    r"sed -n '1s/.* dev \([^ ]*\).*/interface=\1/p'"
)


class Haproxy(Struct, frozen=True):
    """`version` is empty where HAProxy is not installed; `interface`: of the default route."""

    version: tuple[int, ...] = ()
    ipv6: bool = True
    interface: str = ""


class InstalledHaproxy(FactBase[Haproxy]):
    """Asks HAProxy itself."""

    @override
    @staticmethod
    def default() -> Haproxy:
        return Haproxy()

    @override
    def command(self) -> str:
        return (
            "/usr/sbin/haproxy -v 2>/dev/null | head -n 1; "
            "[ -e /proc/net/if_inet6 ] && echo ipv6; "
            f"{INTERFACE_LOOK}; true"
        )

    @override
    def process(self, output: list[str]) -> Haproxy:
        found = re.search(r"version (\d+)\.(\d+)", " ".join(output))
        version = (int(found[1]), int(found[2])) if found else ()
        named = [line.removeprefix("interface=") for line in output if "interface=" in line]
        return Haproxy(version, "ipv6" in output, named[0] if named else "")
