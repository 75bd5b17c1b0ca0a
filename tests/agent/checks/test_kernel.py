"""The kernel's log: what it complains of, and whether we read it all."""

import pytest

from agent import checks
from agent.checks.kernel_log import KernelLog
from agent.checks.kernel_notes import TOLD, WINDOW, KernelNotes
from agent.model import Remedy, Status
from agent.sources.kmsg import LogReading
from agent.sources.kmsg_notes import Note, NoteKind
from tests.agent.checks.boards import NOW, SPEC, Round


def note(kind: NoteKind, ago: float = 1.0, text: str = "its line") -> Note:
    return Note(kind=kind, at=NOW - ago, text=text)


@pytest.mark.parametrize("kind", NoteKind)
async def test_each_kind_of_note_is_told_and_then_is_history(kind: NoteKind) -> None:
    reason, message = TOLD[kind]
    check = KernelNotes()
    for ago, status in ((1.0, Status.WARN), (WINDOW - 1, Status.WARN), (WINDOW + 1, Status.OK)):
        log = LogReading(ok=True, notes=(note(kind, ago),))
        (found,) = check.judge(await check.read(Round(log=log)), SPEC)
        assert (found.subject, found.status, found.remedy) == ("node", status, Remedy.NONE)
        if status is Status.WARN:
            assert (found.reason, found.message, found.evidence) == (reason, message, "its line")


async def test_the_gravest_note_gives_the_reason_and_the_last_line_the_evidence() -> None:
    oom, old, new = NoteKind.OOM_KILL, "the first disk", "the second disk"
    notes = (note(oom), note(NoteKind.IO_ERROR, 9.0, old), note(NoteKind.IO_ERROR, 2.0, new))
    (found,) = KernelNotes().judge(
        await KernelNotes().read(Round(log=LogReading(ok=True, notes=notes))), SPEC
    )
    assert found.reason == "DiskErrors"
    assert TOLD[oom][1] in found.message
    assert new in found.evidence
    assert old not in found.evidence


@pytest.mark.parametrize(
    ("log", "status", "reason"),
    [
        (LogReading(ok=True, read=7), Status.OK, "Ok"),
        (LogReading(ok=True, gaps=2, lost_at=NOW - 5), Status.WARN, "KernelLogGap"),
        (LogReading(ok=True, gaps=2, lost_at=NOW - 601), Status.OK, "Ok"),
        (LogReading(ok=False), Status.UNKNOWN, "CannotLook"),
        (LogReading(ok=False, gaps=1, lost_at=NOW - 5), Status.WARN, "KernelLogGap"),
    ],
)
async def test_kernel_log(log: LogReading, status: Status, reason: str) -> None:
    check = KernelLog()
    (found,) = check.judge(await check.read(Round(log=log)), SPEC)
    assert (found.subject, found.status, found.reason) == ("node", status, reason)
    assert (found.remedy, bool(found.evidence)) == (Remedy.NONE, status is Status.WARN)


async def test_a_log_that_cannot_be_read_is_unknown() -> None:
    found = await checks.run(Round(), SPEC, [KernelLog(), KernelNotes()])
    assert [(r.status, r.message) for r in found] == [(Status.UNKNOWN, "nobody looked")] * 2
