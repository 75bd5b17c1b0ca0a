"""Tell a decision by running a command of the operator's or the provider's.

The command is split into words here and no shell sees it; what was decided is in its environment.
It may leave something in the background; what does not end in time is killed with all it began.
"""

import os
import shlex
import signal
import subprocess
import tempfile
from contextlib import suppress
from typing import IO

from fleet.command import WrongUseError
from fleet.scaling.event import Event

SHOWN = 200  # characters of what it said last
TAIL = 8192  # bytes of its output that are looked at


class RunCommand:
    """One way of telling; see `command.Way`. `deadline` seconds for one run."""

    name = "command"

    def __init__(self, line: str, deadline: float) -> None:
        try:
            self._words = shlex.split(line)
        except ValueError as error:
            raise WrongUseError(f"--run {line!r}: cannot be split into words: {error}") from error
        if not self._words:
            raise WrongUseError("--run: is empty; name a command, such as 'bin/scale --pool a'")
        self._deadline = deadline

    def tell(self, event: Event) -> str:
        """Run it; return what went wrong, or nothing."""
        # A file and no pipe: what the command leaves in the background may hold it open for ever.
        with tempfile.TemporaryFile() as out:
            try:
                process = subprocess.Popen(
                    self._words,
                    env={**os.environ, **event.environment()},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                return f"{self._words[0]} cannot be run: {error.strerror}"
            try:
                code = process.wait(self._deadline)
            except subprocess.TimeoutExpired:
                return f"{self._words[0]} did not end within {self._deadline:g} s"
            finally:
                if process.returncode is None:  # not in time, or we are being ended ourselves
                    _kill(process)
            return "" if code == 0 else f"{self._words[0]} ended with {code}{_last(out)}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last(out: IO[bytes]) -> str:
    out.seek(-min(out.seek(0, os.SEEK_END), TAIL), os.SEEK_END)
    lines = out.read(TAIL).decode(errors="replace").strip().splitlines()
    return f": {lines[-1].strip()[:SHOWN]}" if lines else ""
