"""Which HAProxy is installed, and whether the kernel knows IPv6."""

import re

from msgspec import Struct
from pyinfra.api import FactBase
from typing_extensions import override


class Haproxy(Struct, frozen=True):
    """`version` is empty where HAProxy is not installed."""

    version: tuple[int, ...] = ()
    ipv6: bool = True


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
            "[ -e /proc/net/if_inet6 ] && echo ipv6; true"
        )

    @override
    def process(self, output: list[str]) -> Haproxy:
        found = re.search(r"version (\d+)\.(\d+)", " ".join(output))
        version = (int(found[1]), int(found[2])) if found else ()
        return Haproxy(version, "ipv6" in output)
