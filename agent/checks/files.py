"""Is there room for more open files, and in shared memory?"""

from collections.abc import Iterator

from agent.checks.base import ok, warn
from agent.checks.worst import worst
from agent.model import CheckResult
from agent.sources import Sources
from agent.sources.host import HostReading
from agent.spec import HostSpec

MOST = 0.9  # of what there is


class Files:
    """See the module."""

    name = "files"

    async def read(self, sources: Sources) -> HostReading:
        """Take the host's latest facts."""
        return sources.host.require()

    def judge(self, reading: HostReading, spec: HostSpec) -> list[CheckResult]:  # noqa: ARG002
        """Judge both together."""
        well = ok(self.name, "node", "there is room for open files and in shared memory")
        return [worst(self._findings(reading), well)]

    def _findings(self, reading: HostReading) -> Iterator[CheckResult]:
        used, most = reading.files_open, reading.files_max
        if used is not None and most and used > MOST * most:
            message = f"{used / most:.0%} of all files that the kernel allows are open"
            evidence = f"/proc/sys/fs/file-nr: {used} of {most}"
            yield warn(self.name, "node", "FilesExhausted", message, evidence=evidence)
        free, total = reading.shm_free, reading.shm_total
        if free is not None and total and free < (1 - MOST) * total:
            message = f"only {free / total:.0%} of /dev/shm is free: look for files left in it"
            evidence = f"{free} of {total} bytes of shared memory are free"
            yield warn(self.name, "node", "SharedMemoryFull", message, evidence=evidence)
