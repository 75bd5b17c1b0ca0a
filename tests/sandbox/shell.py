"""Runs a command with a deadline and turns its failure into one sentence."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class SandboxError(Exception):
    """Something the sandbox needs could not be had; the message says what and what to do."""


@dataclass(frozen=True)
class Completed:
    """How a command ended; `raw` is what it wrote to stdout, `out` the same as text."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        """Standard output as text."""
        return self.raw.decode(errors="replace")


def run(
    argv: Sequence[str],
    *,
    deadline: float = 60,
    stdin: bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> Completed:
    """Run `argv` for at most `deadline` seconds; with `check`, a non-zero exit is an error."""
    try:
        done = subprocess.run(
            list(argv),
            check=False,
            input=stdin,
            capture_output=True,
            timeout=deadline,
            cwd=cwd,
            env=env,
        )
    except FileNotFoundError as missing:
        raise SandboxError(f"{argv[0]} is not installed on this machine") from missing
    except subprocess.TimeoutExpired as late:
        raise SandboxError(f"no answer within {deadline:g} s from: {shown(argv)}") from late
    completed = Completed(done.returncode, done.stdout, done.stderr.decode(errors="replace"))
    if check and completed.code != 0:
        raise SandboxError(f"{shown(argv)} ended with {completed.code}: {tail(completed)}")
    return completed


def shown(argv: Sequence[str]) -> str:
    """Give a command as one short line for a message."""
    line = " ".join(argv).replace("\n", " ")
    return line if len(line) <= 120 else line[:117] + "..."


def tail(completed: Completed, lines: int = 5) -> str:
    """Give the last lines of what a failed command said, stderr first choice."""
    said = (completed.err.strip() or completed.out.strip()).splitlines()
    return " | ".join(said[-lines:]) or "it said nothing"
