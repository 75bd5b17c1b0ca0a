"""Does the kernel complain about the host? What is some minutes old is history."""

from collections.abc import Iterator

from agent.checks.base import ok, warn
from agent.checks.worst import worst
from agent.model import CheckResult
from agent.sources import Reading, Sources
from agent.sources.kmsg import LogReading
from agent.sources.kmsg_notes import Note, NoteKind
from agent.spec import HostSpec

WINDOW = 600.0  # seconds

# The gravest first: it gives the result its reason.
TOLD: dict[NoteKind, tuple[str, str]] = {
    NoteKind.PANIC: ("KernelPanic", "the kernel has panicked"),
    NoteKind.OOPS: ("KernelOops", "the kernel has made an error"),
    NoteKind.MACHINE_CHECK: ("MachineCheck", "processor or memory report an uncorrected error"),
    NoteKind.LOCKUP: ("Lockup", "a processor is stuck in the kernel"),
    NoteKind.READ_ONLY: ("FilesystemReadOnly", "a file system takes no writes any more"),
    NoteKind.IO_ERROR: ("DiskErrors", "a disk fails to read or write"),
    NoteKind.OOM_KILL: ("OutOfMemory", "the host is out of memory: a process was killed"),
    NoteKind.CGROUP_OOM_KILL: ("MemoryLimit", "a process was killed at its unit's memory limit"),
    NoteKind.HUNG_TASK: ("HungTask", "a process waits in the kernel for too long"),
}


class KernelNotes:
    """See the module."""

    name = "kernel_notes"

    async def read(self, sources: Sources) -> Reading[LogReading]:
        """Take the log's latest notes, with the time."""
        sources.log.require()
        return sources.log

    def judge(self, reading: Reading[LogReading], spec: HostSpec) -> list[CheckResult]:  # noqa: ARG002
        """Judge the notes of the last minutes."""
        notes = reading.value.notes if reading.value else ()
        recent = [note for note in notes if note.at > reading.at - WINDOW]
        well = ok(self.name, "node", "the kernel has not complained lately")
        return [worst(self._findings(recent), well)]

    def _findings(self, notes: list[Note]) -> Iterator[CheckResult]:
        for kind, (reason, message) in TOLD.items():
            found = [note for note in notes if note.kind is kind]
            if found:
                # Several kernels' worth of text would drown the message; the last line will do.
                yield warn(self.name, "node", reason, message, evidence=found[-1].text)
