"""The kernel: settings that break engines, settings that are not ours any more, mounts."""

from collections.abc import Iterator

import msgspec

from agent import kernel_settings
from agent.doctor.finding import Finding, fault, note, warning
from agent.doctor.seen import Seen
from agent.kernel_settings import BREAKS, OURS, RESERVED
from agent.spec import HostSpec

FILE = "/etc/sysctl.d/60-stoker.conf"
# Sites that hardened their hosts by a list forbid programs here (dev-sec's os_hardening does).
SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - looked at
PROGRAMS = ("/opt/stoker", "/var/lib/docker")


class KernelReading(msgspec.Struct, frozen=True, kw_only=True):
    """Values by key; `noexec`: paths where no program may run."""

    values: dict[str, str]
    noexec: tuple[str, ...] = ()
    sockets: int = 1
    container: bool = False


class Kernel:
    """See the module."""

    name = "kernel"

    def read(self, seen: Seen, spec: HostSpec | None) -> KernelReading:
        """Read /proc/sys and the mounts."""
        keys = {key for key, _ in BREAKS} | OURS.keys() | {RESERVED}
        keys |= spec.base.sysctl.keys() if spec else set()
        values = {}
        for key in sorted(keys):
            text = seen.node.text(f"/proc/sys/{key.replace('.', '/')}")
            if text is not None:
                values[key] = " ".join(text.split())
        places = (seen.node.text(path) for path in seen.node.paths(SOCKETS))
        docker = seen.node.real("/var/lib/docker")
        mounts = seen.node.text("/proc/self/mounts") or ""
        return KernelReading(
            values=values,
            noexec=tuple(noexec(mounts, (*SCRATCH, *PROGRAMS, *([docker] if docker else [])))),
            sockets=len(set(places)) or 1,
            container=seen.is_container(),
        )

    def judge(
        self, reading: KernelReading, spec: HostSpec | None, _now: float
    ) -> Iterator[Finding]:
        """What breaks engines first, then what is only not as wanted."""
        for (key, value), why in BREAKS.items():
            if reading.values.get(key) == value:
                yield fault(
                    f"{key} = {value}: {why}",
                    f"grep -rs {key} /etc/sysctl.d /etc/sysctl.conf shows who sets it; take that "
                    f"out, then sysctl -w {key}={'1' if value == '0' else '0'}",
                )
        yield from _mounts(reading)
        if spec is not None and (wrong := _unwanted(reading, spec)):
            yield warning(
                f"the kernel runs with {', '.join(wrong)}", f"sysctl -p {FILE}, or deploy again"
            )


SOCKETS = "/sys/devices/system/cpu/cpu*/topology/physical_package_id"


def noexec(mounts: str, places: tuple[str, ...]) -> Iterator[str]:
    """Yield those of `places` that lie on a mount without programs (/proc/self/mounts)."""
    options = {line.split()[1]: line.split()[3] for line in mounts.splitlines() if line.strip()}
    for place in dict.fromkeys(places):
        above = [at for at in options if place == at or place.startswith(at.rstrip("/") + "/")]
        if above and "noexec" in options[max(above, key=len)].split(","):
            yield place


def _mounts(reading: KernelReading) -> Iterator[Finding]:
    scratch = [place for place in reading.noexec if place in SCRATCH]
    programs = [place for place in reading.noexec if place not in SCRATCH]
    if programs:
        yield fault(
            f"{', '.join(programs)} is mounted noexec: no program of ours can start",
            "mount -o remount,exec on it, and take noexec out of /etc/fstab",
        )
    if not scratch:
        return
    message = f"{', '.join(scratch)}: mounted noexec, where compilers of kernels write programs"
    if reading.container:  # it has the mounts that its own engine gave it
        yield note(message)
    else:
        yield warning(message, "take noexec out of /etc/fstab, then mount -o remount,exec on it")


def _unwanted(reading: KernelReading, spec: HostSpec) -> list[str]:
    taken = kernel_settings.taken(spec)
    made = kernel_settings.wanted(spec.base.sysctl, taken, reading.values, reading.sockets)
    return [
        f"{key} = {reading.values[key]} instead of {value}"
        for key, value in made.now.items()
        if key in reading.values
        and reading.values[key] != value
        and (key.startswith("net.") or not reading.container)
    ]
