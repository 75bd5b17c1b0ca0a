"""What costs speed: swap in use, processors that save power, few open files allowed. Notes."""

from collections.abc import Iterator

import msgspec

from agent.doctor.finding import Finding, note, warning
from agent.doctor.seen import Seen
from agent.spec import HostSpec

GIB = 1024**2  # KiB, which /proc/swaps counts
LEAST = 65536  # open files; every stream needs two
GOVERNORS = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
SERVICES = ("docker.service",)  # nginx raises its own


class TuningReading(msgspec.Struct, frozen=True, kw_only=True):
    """Swap in KiB; governors that are in use; open files allowed by process."""

    swap: int = 0
    swap_used: int = 0
    governors: tuple[str, ...] = ()
    files: dict[str, int] = {}
    container: bool = False


class Tuning:
    """See the module."""

    name = "tuning"

    def read(self, seen: Seen, _spec: HostSpec | None) -> TuningReading:
        """Read /proc and /sys; limits are those of the running processes."""
        rows = [line.split() for line in (seen.node.text("/proc/swaps") or "").splitlines()[1:]]
        rows = [row for row in rows if len(row) >= 4]
        governors = {(seen.node.text(path) or "").strip() for path in seen.node.paths(GOVERNORS)}
        return TuningReading(
            swap=sum(int(row[2]) for row in rows),
            swap_used=sum(int(row[3]) for row in rows),
            governors=tuple(sorted(governors - {""})),
            files={unit: files for unit in SERVICES if (files := _files(seen, unit))},
            container=seen.is_container(),
        )

    def judge(
        self, reading: TuningReading, _spec: HostSpec | None, _now: float
    ) -> Iterator[Finding]:
        """All of it is opinion but the open files."""
        if reading.swap:
            yield note(
                f"{reading.swap_used / GIB:.1f} of {reading.swap / GIB:.1f} GiB of swap are in use",
                "a little is fine; weights that are swapped out make latency cliffs",
            )
        if slow := [one for one in reading.governors if one != "performance"]:
            yield note(
                f"processors run with the governor {', '.join(slow)}",
                "cpupower frequency-set -g performance: a little less time to the first token",
            )
        for unit, files in reading.files.items():
            if files < LEAST:
                message = f"{unit} may open {files} files"
                fix = f"systemctl edit {unit}: [Service] LimitNOFILE={LEAST}; drained: restart it"
                # What a container may have is set by whoever started it.
                yield note(message, fix) if reading.container else warning(message, fix)


def _files(seen: Seen, unit: str) -> int | None:
    ran = seen.node.run("systemctl", "show", "-p", "MainPID", "--value", unit)
    pid = ran.out.strip() if ran else ""
    limits = seen.node.text(f"/proc/{pid}/limits") if pid.isdigit() and pid != "0" else None
    for line in (limits or "").splitlines():
        if line.startswith("Max open files"):
            soft = line.removeprefix("Max open files").split()[0]
            return int(soft) if soft.isdigit() else None
    return None
