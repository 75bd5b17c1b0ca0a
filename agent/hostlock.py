"""The lock of a host: one act at a time on what we manage, whoever it comes from.

    python3 - take|beat|leave|steal|show PATH [HOLDER [LINE]]

LINE, if the verb is done, is added to the log of deploys beside the lock. Both are JSON.
A deploy sends this very file to hosts where nothing of ours is installed yet, so it uses nothing
but Python's own library. Who does not beat for `TTL` seconds may lose it to anybody. Times are the
host's.
Exit codes: 0 done · 75 somebody else has it (what is told then is the holder).
"""

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATH = "/var/lib/stoker/lock.json"
TTL = 120.0  # seconds
BUSY = 75  # sysexits.h: EX_TEMPFAIL
LOG = "deploys.jsonl"
FULL = 5_000_000  # bytes; then it is kept as `.1`, and a fresh one is begun
CURRENT = "/opt/stoker/releases/current"

Holder = dict[str, Any]


def decide(
    there: Holder | None, verb: str, wanted: Holder, now: float
) -> tuple[Holder | None, int]:
    """Return what the lock is afterwards, and the exit code. Pure."""
    held = there if there is not None and now < float(there["expires"]) else None
    mine = held is not None and held["token"] == wanted.get("token")
    if verb == "show":
        return held, 0
    if verb == "leave":
        return (None, 0) if mine else (held, 0)
    if verb == "beat" and held is None:
        if there is not None and there["token"] == wanted.get("token"):
            return {**there, "expires": now + TTL}, 0  # nobody has acted since
        return None, BUSY  # lost: it must not be taken again behind the back of who has acted since
    if held is not None and not mine and verb != "steal":
        return held, BUSY
    since = held["since"] if held is not None and mine else now
    return {
        **(held if held is not None and mine else wanted),
        "since": since,
        "expires": now + TTL,
    }, 0


def act(path: Path, verb: str, wanted: Holder, now: float) -> tuple[Holder | None, int]:
    """Look and change at one go; return what the lock is now, and the exit code."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _alone(path.with_name(f".{path.name}.guard")):
        there = _read(path)
        after, code = decide(there, verb, wanted, now)
        if code == 0 and verb != "show":
            _write(path, after)
        return after, code


def _read(path: Path) -> Holder | None:
    try:
        found = json.loads(path.read_text())
        return {**found, "expires": float(found["expires"]), "token": str(found["token"])}
    except (FileNotFoundError, ValueError, RecursionError, KeyError, TypeError):
        return None  # none, or one that a crash has cut: whoever held it writes it again


def _write(path: Path, holder: Holder | None) -> None:
    if holder is None:
        path.unlink(missing_ok=True)
        return
    new = path.with_name(f".{path.name}.new")
    with new.open("w") as file:
        file.write(json.dumps(holder, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def note(path: Path, line: dict[str, Any], now: float) -> None:
    """Add a line to the log beside the lock, with the time and the release that is current."""
    release = ""
    with contextlib.suppress(OSError):
        release = Path(CURRENT).readlink().name
    whole = {"at": round(now, 3), **line, "current": release}
    log = path.with_name(LOG)
    with log.open("a") as file:
        file.write(json.dumps(whole, separators=(",", ":")) + "\n")
        full = file.tell() >= FULL
    if full:
        log.replace(log.with_name(f"{LOG}.1"))


@contextlib.contextmanager
def _alone(guard: Path) -> Iterator[None]:
    with guard.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    """Run one verb; print the holder, if there is one, as JSON without its token."""
    verb, path, *rest = arguments
    found, code = act(Path(path), verb, json.loads(rest[0]) if rest else {}, time.time())
    if code == 0 and rest[1:]:
        try:
            note(Path(path), json.loads(rest[1]), time.time())
        except OSError as error:  # a full disk must not keep anybody from the host
            print(f"cannot write {LOG}: {error}", file=sys.stderr)
    if found is None and code == BUSY:
        found = {"by": "", "reason": "taken away"}
    if found is not None:
        print(json.dumps({key: value for key, value in found.items() if key != "token"}))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
