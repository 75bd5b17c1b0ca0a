"""What the processes of containers hold: ports of the host's own network, memory of GPUs."""

from __future__ import annotations

import re
from pathlib import Path

from fleet.facts.foreign_look.command import run


def container_of(pid: str) -> str:
    """Return the id of the container that a process runs in; empty for none."""
    try:
        return container_in(Path(f"/proc/{pid}/cgroup").read_text(errors="replace"))
    except OSError:
        return ""


def container_in(lines: str) -> str:
    """Read it off the process's control groups: /docker/ID, or docker-ID.scope."""
    found = re.search(r"[0-9a-f]{64}", lines)
    return found[0] if found else ""


def listening() -> list[tuple[str, str, int]]:
    """Return container, address and port of what listens inside of a container's cgroup."""
    found = []
    for line in (run("ss", "-Hltnp") or "").splitlines():
        address, _, port = line.split()[3].rpartition(":")
        pid = re.search(r"pid=(\d+)", line)
        if pid and (one := container_of(pid[1])):
            found.append((one, address, int(port)))
    return found


def holding() -> list[tuple[str, str]]:
    """Return container and GPU (UUID) of what computes on a GPU."""
    query = ("--query-compute-apps=pid,gpu_uuid", "--format=csv,noheader")
    rows = [line.split(", ") for line in (run("nvidia-smi", *query) or "").splitlines()]
    return [(container_of(row[0]), row[1]) for row in rows if len(row) == 2 and row[0].isdigit()]
