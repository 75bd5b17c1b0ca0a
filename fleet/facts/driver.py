"""NVIDIA's driver on a host: what is loaded, what is installed, what it answers: one command."""

import re

from msgspec import Struct
from pyinfra.api import FactBase, StringCommand
from typing_extensions import override

from agent.drift.manifest import Package

# The packages of the driver, of all distributions; the container toolkit's are none of them.
NAMES = (
    "nvidia-driver*", "nvidia-kernel-*", "nvidia-dkms-*", "nvidia-open*", "nvidia-persistenced",
    "nvidia-modprobe", "nvidia-utils*", "nvidia-compute-utils*", "nvidia-firmware*",
    "nvidia-fabricmanager*", "nvidia-imex*", "nvlsm", "libnvidia-*", "libcuda1", "cuda-drivers*",
    "firmware-nvidia*",
)  # fmt: skip
PINNING = "nvidia-driver-pinning-"
MARK = "/var/lib/stoker/driver-move"  # names the engines that wait, drained, for the driver

_TOOLKIT = ("libnvidia-container", "nvidia-container")
_VERSION = re.compile(r"\b\d{3}\.\d+(?:\.\d+)?\b")
_FORM = "package=${Package}|${db:Status-Want}|${db:Status-Status}|${Version}\\n"
_GLOBS = " ".join(f"'{name}'" for name in NAMES)
_LOOK = f"""
echo "loaded=$(head -n 1 /proc/driver/nvidia/version 2>/dev/null)"
echo "built=$(modinfo -F version nvidia 2>/dev/null)"
echo "license=$(modinfo -F license nvidia 2>/dev/null)"
[ -d /sys/module/nouveau ] && echo "nouveau=yes"
[ -e {MARK} ] && echo "waiting=$(cat {MARK})"
echo "fabric=$(nv-fabricmanager --version 2>/dev/null | head -n 1)"
dpkg-query -W -f '{_FORM}' {_GLOBS} 2>/dev/null
if modes=$(timeout -k 1 30 nvidia-smi --query-gpu=persistence_mode --format=csv,noheader 2>&1)
then echo "$modes" | sed 's/^/gpu=/'; else echo "answer=$(echo "$modes" | tail -n 1)"; fi
true
"""


class Module(Struct, frozen=True):
    """A kernel module `nvidia`; an empty version = there is none."""

    version: str = ""
    open: bool = True


class State(Struct, frozen=True, kw_only=True):
    """What was found.

    `packages` are installed; `left` = pinning packages that are gone but for their pins. `fabric` =
    the version that Fabric Manager says of itself. `persistent` = persistence mode of each GPU that
    the driver lists; `answer` = what it says instead. `waiting` = engines that a deploy drained to
    move the driver, and has not let serve again.
    """

    loaded: Module = Module()
    built: Module = Module()
    nouveau: bool = False
    packages: dict[str, Package] = {}
    left: tuple[str, ...] = ()
    fabric: str = ""
    persistent: tuple[bool, ...] = ()
    answer: str = ""
    waiting: tuple[str, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        """Maps each package that is numbered as the driver to its version; pins are not."""
        found = {
            name: upstream(package.version or "")
            for name, package in self.packages.items()
            if not name.startswith(PINNING)
        }
        return {name: version for name, version in found.items() if version}


class DriverState(FactBase[State]):
    """Looks at the driver of a host; needs none."""

    @override
    @staticmethod
    def default() -> State:
        return State()

    @override
    def command(self) -> StringCommand:
        return StringCommand(_LOOK)

    @override
    def process(self, output: list[str]) -> State:
        found: dict[str, list[str]] = {}
        for line in output:
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value.strip())
        one = {key: values[0] for key, values in found.items()}
        rows = [value.split("|") for value in found.get("package", [])]
        rows = [row for row in rows if not row[0].startswith(_TOOLKIT)]
        return State(
            loaded=_loaded(one.get("loaded", "")),
            built=Module(one.get("built", ""), one.get("license", "") != "NVIDIA"),
            nouveau="nouveau" in one,
            packages=_installed(rows),
            left=tuple(n for n, _, s, _ in rows if n.startswith(PINNING) and s == "config-files"),
            fabric=upstream(one.get("fabric", "")),
            persistent=tuple(mode == "Enabled" for mode in found.get("gpu", [])),
            answer=one.get("answer", ""),
            waiting=tuple(one.get("waiting", "").split()),
        )


def upstream(text: str) -> str:
    """Return the driver's version in `text`: "595.91.07-1" is 595.91.07; empty = there is none."""
    found = _VERSION.search(text)
    return found[0] if found else ""


def _loaded(line: str) -> Module:
    return Module(upstream(line), "Open Kernel Module" in line) if upstream(line) else Module()


def _installed(rows: list[list[str]]) -> dict[str, Package]:
    return {
        name: Package(hold=want == "hold", version=version)
        for name, want, status, version in rows
        if status == "installed"
    }
