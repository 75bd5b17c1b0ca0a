"""Asking a program of the host."""

from __future__ import annotations

import subprocess

PATIENCE = 20  # seconds


def run(*command: str, check: bool = True) -> str | None:
    """Return what a command printed; None when it failed (with `check`), is not there, or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, check=check, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")
