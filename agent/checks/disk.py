"""Do the disks that we need have space, and do they take writes?"""

from collections.abc import Iterator

from agent.checks.base import ok, warn
from agent.checks.worst import worst
from agent.model import CheckResult
from agent.sources import Sources
from agent.sources.host import HostReading
from agent.spec import HostSpec

GIB = 2**30


class Disk:
    """See the module."""

    name = "disk"

    async def read(self, sources: Sources) -> HostReading:
        """Take the host's latest facts."""
        return sources.host.require()

    def judge(self, reading: HostReading, spec: HostSpec) -> list[CheckResult]:
        """Judge all disks together."""
        well = ok(self.name, "node", "the disks have space and take writes")
        return [worst(self._findings(reading, spec.check.disk_floor_gib), well)]

    def _findings(self, reading: HostReading, floor: int) -> Iterator[CheckResult]:
        for path in reading.stuck:
            message = f"{path} does not answer: its file system hangs"
            yield warn(self.name, "node", "DiskHangs", message, evidence=f"{path}: no answer")
        for disk in reading.disks:
            if disk.read_only:
                message = f"{disk.path} takes no writes any more: look for errors of its disk"
                evidence = f"{disk.path} is mounted read-only"
                yield warn(self.name, "node", "DiskReadOnly", message, evidence=evidence)
            if disk.free < floor * GIB:
                message = f"{disk.path} has only {disk.free / GIB:.1f} GiB free, {floor} are wanted"
                evidence = f"{disk.path}: {disk.free} of {disk.total} bytes free"
                yield warn(self.name, "node", "DiskFull", message, evidence=evidence)
