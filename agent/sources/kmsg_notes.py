"""Trouble of the host itself, as the kernel words it: what a person wants to see beside a fault.

To note one more thing: a kind, a row in `_TABLE`, and a word in `_WORDS` that its lines contain.
"""

import re
from collections import Counter, deque
from collections.abc import Mapping
from enum import StrEnum

from agent.model import Value

KEPT = 8  # notes of each kind: a disk that fails for hours must not push out the OOM kill
LONGEST = 200  # characters of a message that are kept


class NoteKind(StrEnum):
    """What the kernel complains of."""

    OOM_KILL = "oom_kill"
    CGROUP_OOM_KILL = "cgroup_oom_kill"  # the limit of a container or unit, not the host's memory
    HUNG_TASK = "hung_task"
    READ_ONLY = "read_only"  # a file system that writes nothing any more
    IO_ERROR = "io_error"
    LOCKUP = "lockup"
    OOPS = "oops"
    PANIC = "panic"
    MACHINE_CHECK = "machine_check"  # uncorrected only


class Note(Value, frozen=True, kw_only=True):
    """One complaint. `at`: seconds since 1970; `pid` as the host counts, None = not told."""

    kind: NoteKind
    at: float
    text: str
    pid: int | None = None
    process: str = ""


# The wording is that of Linux 5.10 to 6.18: mm/oom_kill.c, kernel/hung_task.c, kernel/watchdog.c,
# fs/ext4/super.c, fs/xfs/xfs_fsops.c, block/blk-core.c, fs/buffer.c, arch/*/kernel (die),
# arch/x86/kernel/cpu/mce/core.c, drivers/edac, drivers/firmware/efi/cper.c, mm/memory-failure.c.
_VICTIM = r"Kill(?:ed)? process (?P<pid>\d+) \((?P<process>.{0,64}?)\)(?:,|$| total-vm| score)"
_TASK = r"(?P<process>.{1,64}):(?P<pid>\d{1,10})"
_DISK = r"dev (?!fd|sr|loop)"  # an empty drive says the same of every look at it
_TABLE = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (NoteKind.OOM_KILL, rf"Out of memory(?: \(\w+\))?: {_VICTIM}"),
        (NoteKind.CGROUP_OOM_KILL, rf"Memory cgroup out of memory: {_VICTIM}"),
        (NoteKind.HUNG_TASK, rf"INFO: task {_TASK} blocked for more than \d+ seconds"),
        (NoteKind.READ_ONLY, r"EXT4-fs \([^)]{1,64}\): Remounting filesystem read-only"),
        (NoteKind.READ_ONLY, r"XFS \([^)]{1,64}\): .{0,150}Shutting down filesystem"),
        (NoteKind.IO_ERROR, r"(?:EXT4-fs|XFS) \([^)]{1,64}\): .{0,100}I/O error"),
        (NoteKind.IO_ERROR, rf"(?:blk_update_request: )?(?:Buffer )?I/O error(?:,| on) {_DISK}"),
        (NoteKind.LOCKUP, rf"(?:NMI )?watchdog: BUG: soft lockup - CPU#\d+ .{{1,40}}\[{_TASK}\]"),
        (NoteKind.LOCKUP, r"(?:NMI )?watchdog: (?:CPU\d+: )?Watchdog detected hard LOCKUP"),
        (NoteKind.OOPS, r".{1,150}: [0-9a-f]{4,16} \[#\d+\]"),
        (NoteKind.PANIC, r"Kernel panic - not syncing"),
        (NoteKind.MACHINE_CHECK, r"(?:mce: )?\[Hardware Error\]: CPU \d+: Machine Check Exception"),
        (NoteKind.MACHINE_CHECK, r"\[Hardware Error\]: (?:Uncorrected|System Fatal)"),
        (
            NoteKind.MACHINE_CHECK,
            r"(?:\{\d+\})?\[Hardware Error\]: event severity: (?:fatal|recov)",
        ),
        (NoteKind.MACHINE_CHECK, r"EDAC (?:\w+ )?MC\d+: \d+ UE "),
        (
            NoteKind.MACHINE_CHECK,
            rf"Memory failure: 0x\w+: (?:Sending SIGBUS to|Killing) {_TASK} due",
        ),
    )
)
_WORDS = re.compile(
    rb"ut of memory: Kill|task\): Kill|blocked for more|ilesystem|I/O error|lockup|LOCKUP|\[#"
    rb"|Kernel panic|Hardware Error|EDAC|SIGBUS|Memory failure"
)


def worth(line: bytes) -> bool:
    """Say cheaply whether raw lines can hold a note at all; nearly all cannot."""
    return _WORDS.search(line) is not None


def note(text: str, at: float) -> Note | None:
    """Return the note that a message of the kernel is, or None."""
    text = text[:LONGEST]
    for kind, pattern in _TABLE:
        if found := pattern.match(text):
            parts = found.groupdict()
            pid = parts.get("pid")
            process = parts.get("process") or ""
            return Note(kind=kind, at=at, text=text, pid=int(pid) if pid else None, process=process)
    return None


class Notes:
    """The last notes of each kind, and how many there were since boot."""

    def __init__(self) -> None:
        self._counts = Counter(dict.fromkeys(NoteKind, 0))
        self._kept = {kind: deque[Note](maxlen=KEPT) for kind in NoteKind}

    def add(self, one: Note) -> None:
        """Count a note, and keep it."""
        self._counts[one.kind] += 1
        self._kept[one.kind].append(one)

    @property
    def kept(self) -> tuple[Note, ...]:
        """The notes, oldest first."""
        every = [one for kept in self._kept.values() for one in kept]
        return tuple(sorted(every, key=lambda one: one.at))

    @property
    def counts(self) -> Mapping[NoteKind, int]:
        """How many notes of each kind there were."""
        return dict(self._counts)
