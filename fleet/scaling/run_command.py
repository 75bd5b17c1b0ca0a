"""Tell a decision by running a command of the operator's or the provider's.

The command is split into words here and no shell sees it; what was decided is in its environment.
"""

import os
import shlex
import subprocess

from fleet.command import WrongUseError
from fleet.scaling.event import Event

SHOWN = 200  # characters of what it said last


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
        try:
            done = subprocess.run(
                self._words,
                env={**os.environ, **event.environment()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=self._deadline,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{self._words[0]} did not end within {self._deadline:g} s"
        except OSError as error:
            return f"{self._words[0]} cannot be run: {error.strerror}"
        if done.returncode == 0:
            return ""
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        said = f": {lines[-1].strip()[:SHOWN]}" if lines else ""
        return f"{self._words[0]} ended with {done.returncode}{said}"
