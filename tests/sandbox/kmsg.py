"""A stand-in for /dev/kmsg: a FIFO that carries records as the kernel writes them.

Records: `prio,seq,usec,flags;text` (Documentation/ABI/testing/dev-kmsg). What nobody reads waits in
the pipe; there is no history.
"""

import os
import stat
import time
from pathlib import Path

ERROR = 3  # kern.err: NVRM's level


def make(path: Path) -> None:
    """Make the FIFO, for everybody to read and write, where there is none."""
    if path.exists() and not stat.S_ISFIFO(path.stat().st_mode):
        path.unlink()
    if not path.exists():
        os.mkfifo(path)
    path.chmod(0o666)


def record(text: str, at: float | None = None) -> bytes:
    """Return one record; `at` is seconds of CLOCK_MONOTONIC, which also numbers it."""
    usec = int((time.monotonic() if at is None else at) * 1e6)
    return f"{ERROR},{usec},{usec},-;{text}\n".encode()


def write(path: Path, *lines: str) -> None:
    """Let the kernel say `lines`. Raises `OSError` (ENXIO) when nothing holds the FIFO open."""
    log = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        for line in lines:
            os.write(log, record(line))
            time.sleep(1e-5)  # sequence numbers rise
    finally:
        os.close(log)


def xid(pci: str, number: int, text: str = "", pid: int | None = None) -> str:
    """Return the driver's line for an Xid; `pci` as NVML spells it (00000000:06:00.0)."""
    domain, bus, device = pci[-12:].lower().rsplit(".", 1)[0].split(":")
    who = "" if pid is None else f" pid={pid}, name=python,"
    return f"NVRM: Xid (PCI:{domain}:{bus}:{device}): {number},{who} {text}".rstrip(" ,")
