"""From the bytes of the kernel log to faults and notes. No file and no clock is touched here."""

import re

import msgspec

from agent.sources import kmsg_notes
from agent.sources.kmsg_notes import Notes
from agent.xid import line
from agent.xid.fault import KernelFault
from agent.xid.record import Record

LONGEST = 8192  # bytes of a line; the kernel's own are shorter (printk's CONSOLE_EXT_LOG_MAX)

_HEAD = re.compile(rb"^\d{1,6},(\d{1,20}),(\d{1,20}),", re.MULTILINE)


class Sieve:
    """Keeps what a program of 10,000 lines a second holds of interest, in bounded memory.

    Nearly all lines go through by two searches over the whole chunk, and are never split.
    `after`: the last record of this boot whose fault is known already.

    A record's stamp is the kernel's `local_clock`: it starts at boot, stands still in suspend as
    CLOCK_MONOTONIC does (so CLOCK_BOOTTIME would be wrong), and nobody disciplines it. After a
    month it may be a minute off, so the instant of boot is taken anew from each live record.
    """

    def __init__(
        self, boot: str, booted: float, *, after: int = -1, injected: bool = False
    ) -> None:
        self._boot, self._booted, self._after, self._injected = boot, booted, after, injected
        self._latest = self._tail = b""
        self._held = ""  # the beginning of a message of several lines
        self._seen = -1
        self.notes = Notes()

    def take(self, chunk: bytes, now: float, *, live: bool = False) -> list[KernelFault]:
        """Take in what was read, cut anywhere, and return the faults in it.

        `now` is in seconds since 1970; `live`: the first line was written just now.
        """
        whole, cut, self._tail = (self._tail + chunk).rpartition(b"\n")
        self._tail = self._tail[:LONGEST]
        if not cut:
            return []
        if head := _HEAD.match(whole):
            self._latest = whole
            self._booted = now - int(head[2]) / 1e6 if live else self._booted
        if not (line.worth(whole) or kmsg_notes.worth(whole)):
            return []
        told = (self._line(raw, now) for raw in whole.split(b"\n"))
        return [fault for fault in told if fault is not None]

    @property
    def read(self) -> int:
        """The sequence number of the last record; -1 = none yet."""
        numbers = [int(head[1]) for head in _HEAD.finditer(self._latest)]
        return numbers[-1] if numbers else -1

    def _line(self, raw: bytes, now: float) -> KernelFault | None:
        faulty = line.worth(raw)
        told = line.record(raw) if faulty or kmsg_notes.worth(raw) else None
        if told is None or self._again(told.seq):
            return None
        told = msgspec.structs.replace(told, at=self._instant(told, now))
        believed = told.speaker == "kernel" or self._injected
        if believed and (noted := kmsg_notes.note(told.text, told.at or now)):
            self.notes.add(noted)
        return self._fault(told, believed=believed) if faulty else None

    def _again(self, seq: int | None) -> bool:
        """Whether the record was read before: the log begins anew each time it is opened."""
        if seq is None or seq > self._seen:
            self._seen = self._seen if seq is None else seq
            return False
        return True

    def _instant(self, told: Record, now: float) -> float:
        """Return when it was written; a line that is no record of the kernel's tells no time."""
        if told.seq is None or told.at is None:
            return now
        return min(now, self._booted + told.at)

    def _fault(self, told: Record, *, believed: bool) -> KernelFault | None:
        text = told.text
        if believed:  # what a program writes must not tear the driver's message apart
            self._held, text = line.join(self._held, text)
        fault = line.of(
            msgspec.structs.replace(told, text=text), self._boot, injected=self._injected
        )
        if fault is not None and fault.seq is not None and fault.seq <= self._after:
            return None
        return fault
