"""Kernel settings: what runs now, and what the next boot reads."""

from collections.abc import Generator, Mapping

from msgspec import Struct
from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from typing_extensions import override

from agent import kernel_settings
from agent.kernel_settings import OURS, RESERVED, Wanted
from agent.spec import HostSpec
from fleet.operations.file import place

PATH = "/etc/sysctl.d/60-stoker.conf"

# A container may see a setting that only its host can change: `-w` then says no, also to root.
_LOOK = r"""
do
  p=/proc/sys/$(echo "$k" | tr . /)
  [ -r "$p" ] && echo "$k=$(tr -s '\t' ' ' <"$p")"
  [ -w "$p" ] && echo "writable=$k"
done
echo "sockets=$(cat /sys/devices/system/cpu/cpu*/topology/physical_package_id 2>/dev/null |
  sort -u | wc -l)"
"""


class Kernel(Struct, frozen=True, kw_only=True):
    """The kernel's values by key, which of them can be changed here, and its processor sockets."""

    values: dict[str, str] = {}
    writable: frozenset[str] = frozenset()
    sockets: int = 1


class KernelNow(FactBase[Kernel]):
    """Looks at `keys`; a key that this kernel has not is left out."""

    @override
    @staticmethod
    def default() -> Kernel:
        return Kernel()

    @override
    def command(self, keys: list[str]) -> StringCommand:
        return StringCommand("for k in", *map(QuoteString, keys), ";", _LOOK)

    @override
    def process(self, output: list[str]) -> Kernel:
        pairs = [(key, value) for key, _, value in (line.partition("=") for line in output)]
        return Kernel(
            values={k: " ".join(v.split()) for k, v in pairs if k not in {"writable", "sockets"}},
            writable=frozenset(value for key, value in pairs if key == "writable"),
            sockets=next((int(value) for key, value in pairs if key == "sockets"), 1),
        )


@operation()
def sysctl(spec: HostSpec, *, container: bool) -> Generator[StringCommand]:
    """Make the running kernel use the settings of `spec`.

    In a container only the network's: the others are those of the machine that it runs on.
    """
    now = _now(spec)
    wrong = [
        f"{key}={value}"
        for key, value in _wanted(spec, now).now.items()
        if key in now.writable
        and now.values.get(key) != value
        and (key.startswith("net.") or not container)
    ]
    if not wrong:
        host.noop("the kernel runs with these settings")
        return
    yield StringCommand("sysctl -q -w", *map(QuoteString, wrong))


@operation()
def sysctl_file(spec: HostSpec) -> Generator[StringCommand]:
    """Leave the settings of `spec` for the next boot."""
    yield from place(PATH, text(_wanted(spec, _now(spec)).kept), "644", "root:root")


def text(kept: Mapping[str, str]) -> str:
    """Return the file; a key that this kernel has not is no error at a boot (`-`)."""
    lines = "".join(f"-{key} = {value}\n" for key, value in kept.items())
    return f"# Written by Stoker.\n{lines}"


def _now(spec: HostSpec) -> Kernel:
    keys = {**OURS, RESERVED: None, **spec.base.sysctl}
    found: Kernel = host.get_fact(KernelNow, keys=list(keys))
    return found


def _wanted(spec: HostSpec, now: Kernel) -> Wanted:
    taken = kernel_settings.taken(spec)
    return kernel_settings.wanted(spec.base.sysctl, taken, now.values, now.sockets)
