"""Which nginx is installed, and whether the kernel knows IPv6."""

from msgspec import Struct
from pyinfra.api import FactBase
from typing_extensions import override


class Nginx(Struct, frozen=True):
    """`version` is empty where nginx is not installed."""

    version: tuple[int, ...] = ()
    ipv6: bool = True


class InstalledNginx(FactBase[Nginx]):
    """Asks nginx itself: packages of several origins number theirs differently."""

    @override
    @staticmethod
    def default() -> Nginx:
        return Nginx()

    @override
    def command(self) -> str:
        return (
            "/usr/sbin/nginx -v 2>&1 | sed -n 's|^nginx version: nginx/\\([0-9.]*\\).*|\\1|p'; "
            "[ -e /proc/net/if_inet6 ] && echo ipv6; true"
        )

    @override
    def process(self, output: list[str]) -> Nginx:
        numbers = [line for line in output if line[:1].isdigit()]
        version = tuple(int(part) for part in numbers[0].split(".")) if numbers else ()
        return Nginx(version, "ipv6" in output)
