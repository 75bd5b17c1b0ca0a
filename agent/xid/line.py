"""From a line of the kernel log to a fault (the driver's `krcReportXid`).

A message counts only when it *begins* as the driver writes it and the kernel wrote it: the same
words inside a program's log line, or written to /dev/kmsg by a program, are nobody's fault.
"""

import re

import msgspec

from agent.xid import bus
from agent.xid.details import details, fatal
from agent.xid.fault import FELL_OFF, KernelFault, Kind
from agent.xid.record import Record, join, record

__all__ = ["Record", "join", "parse", "read", "record", "reset_done", "worth"]

LONGEST = 1000  # characters of a message that are looked at

_XID = re.compile(
    rf"NVRM: Xid \((?:PCI:)?(?P<bus>{bus.BUS})(?: GPU-I:(?P<gi>\d+))?(?: GPU-CI:(?P<ci>\d+))?\): ?"
    r"(?P<xid>\d{1,4})(?:,(?P<tail>.*)|\s*$)",
    re.DOTALL,
)
_PID = re.compile(r" pid='?(\d{1,10})\b")
_NAME = re.compile(r" name='?([^,']{1,64})")
_LOST = re.compile(
    rf"NVRM: (?:The NVIDIA )?GPU (?:at )?(?:PCI:)?(?P<bus>{bus.BUS}).{{0,200}}fallen off the bus",
    re.DOTALL,
)
_SXID = re.compile(
    rf"nvidia-nvswitch\d+:? SXid \((?:PCI:)?(?P<bus>{bus.BUS})\):? "
    r"(?P<xid>\d{1,6}),(?: (?P<word>Fatal|Non-fatal)\b,?)?(?: ?Link (?P<link>\d+))?"
)
_RESET = re.compile(rf"stoker: gpu (?P<bus>{bus.BUS}) reset done")
# NVSentinel's janitor writes this through syslog, with the outcome in newer versions.
_EXECUTED = re.compile(r"GPU reset executed: (?P<uuid>GPU-[0-9a-fA-F-]+)(?:, success: (\w+))?\s*$")
_JANITORS = frozenset({"kernel", "user", "stoker", "nvsentinel-gpu-reset"})


def worth(line: bytes) -> bool:
    """Say cheaply whether a raw line can hold a fault at all; nearly all lines cannot."""
    return b"NVRM: " in line or b"SXid" in line or b" reset " in line


def read(line: str | bytes, boot: str = "", *, injected: bool = False) -> KernelFault | None:
    """Return the fault in a line of any form, with the instant as that form has it."""
    raw = line if isinstance(line, bytes) else line.encode("utf-8", "replace")
    if not worth(raw):
        return None
    told = record(line)
    return of(told, boot, injected=injected) if told else None


def of(told: Record, boot: str = "", *, injected: bool = False) -> KernelFault | None:
    """Return the fault in a record.

    A program can only tell of a reset, unless `injected`: then what root writes to /dev/kmsg
    counts as the driver's word (fault injection).
    """
    fault = parse(told.text)
    if fault is None or told.speaker not in _JANITORS:
        return None
    believed = {"kernel", "user"} if injected else {"kernel"}
    if fault.kind is not Kind.RESET and told.speaker not in believed:
        return None
    return msgspec.structs.replace(fault, at=told.at or 0.0, seq=told.seq, boot=boot)


def parse(text: str) -> KernelFault | None:
    """Return the fault in a message (without the record's head), or None."""
    text = text[:LONGEST]
    if text.startswith("NVRM: Xid "):
        return _xid(text)
    if text.startswith("NVRM: "):
        found = _LOST.match(text)
        return _lost(found["bus"], text) if found else None
    if text.startswith("nvidia-nvswitch"):
        return _sxid(text)
    return _reset(text)


def reset_done(bus_id: str) -> str:
    """Return the line to write to /dev/kmsg after a reset that was verified."""
    return f"stoker: gpu {bus.normal(bus_id)} reset done"


def _xid(text: str) -> KernelFault | None:
    found = _XID.match(text)
    if found is None or int(found["xid"]) == 0:
        return None
    tail = found["tail"] or ""
    xid = int(found["xid"])
    pid, name = _PID.match(tail), _NAME.search(tail)
    return KernelFault(
        gpu=bus.normal(found["bus"]),
        xid=xid,
        text=text.strip(),
        pid=int(pid[1]) or None if pid else None,  # 0: the kernel itself
        process="" if name is None or name[1].startswith("<") else name[1].strip(),
        partition=None if found["gi"] is None else int(found["gi"]),
        compute=None if found["ci"] is None else int(found["ci"]),
        **details(xid, tail),
    )


def _lost(bus_id: str, text: str) -> KernelFault:
    return KernelFault(gpu=bus.normal(bus_id), xid=FELL_OFF, text=" ".join(text.split()))


def _sxid(text: str) -> KernelFault | None:
    found = _SXID.match(text)
    if found is None:
        return None
    return KernelFault(
        gpu=bus.normal(found["bus"]),
        xid=int(found["xid"]),
        kind=Kind.SXID,
        text=text.strip(),
        fatal=None if found["word"] is None else fatal(found["word"]),
        link=None if found["link"] is None else int(found["link"]),
    )


def _reset(text: str) -> KernelFault | None:
    found = _RESET.match(text)
    if found:
        return KernelFault(gpu=bus.normal(found["bus"]), xid=0, kind=Kind.RESET, text=text.strip())
    found = _EXECUTED.match(text)
    if found and found[2] in {None, "true"}:
        return KernelFault(gpu="", uuid=found["uuid"], xid=0, kind=Kind.RESET, text=text.strip())
    return None
