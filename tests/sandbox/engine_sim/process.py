"""Child processes of the launcher: started in their own group, their output read by threads."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PACKAGE = __name__.rpartition(".")[0]


class Child:
    """One running program of the simulator."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> None:
        """Start ``command`` (program name first); ``on_line`` gets each line of its stdout."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", _PACKAGE, *command],
            env=dict(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Its own group, as the real launcher does: killing the launcher orphans its children.
            process_group=0,
        )
        self.pid = self._process.pid
        self._stderr: list[str] = []
        self._reader = threading.Thread(target=self._read, args=(on_line,), daemon=True)
        self._reader.start()
        self._error_reader = threading.Thread(target=self._read_errors, daemon=True)
        self._error_reader.start()

    def exit_code(self) -> int | None:
        """None while running, the exit code, or minus the signal number."""
        return self._process.poll()

    def stderr(self) -> str:
        """All of its stderr; call it only after the end."""
        self._error_reader.join(timeout=1)
        return "\n".join(self._stderr)

    def finish_output(self) -> None:
        """Wait until the last lines of its stdout have been passed on."""
        self._reader.join(timeout=1)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; a process that has ended is left alone."""
        self._process.send_signal(number)

    def terminate(self, patience: float) -> bool:
        """SIGTERM, then SIGKILL after ``patience`` seconds; True when it left by itself."""
        self.send(signal.SIGTERM)
        deadline = time.monotonic() + patience
        while self.exit_code() is None:
            if time.monotonic() >= deadline:
                self.send(signal.SIGKILL)
                self._process.wait()
                return False
            time.sleep(0.02)
        return True

    def _read(self, on_line: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            on_line(line.decode(errors="replace").rstrip("\n"))

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._stderr.append(line.decode(errors="replace").rstrip("\n"))


def rename_self(name: str) -> None:
    """Show ``name`` as this process's short name, of which Linux keeps 15 characters."""
    Path(f"/proc/self/task/{os.getpid()}/comm").write_text(name[:15])
