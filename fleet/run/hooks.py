"""The operator's own programs around a deploy: executables in `hooks/`, run on this machine.

`pre-deploy` may forbid it, by an exit code that is not 0; so may `pre-batch`, for what is left.
What `post-batch` and `post-deploy` say with their exit codes is told, and changes nothing.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from fleet.render import ROOT
from fleet.run import events

VARIABLE = "STOKER_HOOKS"  # another directory
NAMES = ("pre-deploy", "post-deploy", "pre-batch", "post-batch")
DEADLINE = 600.0  # seconds
Tell = Callable[[str], None]


def directory() -> Path:
    """Return where the hooks lie."""
    return Path(os.environ.get(VARIABLE) or ROOT / "hooks")


def faults(where: Path) -> list[str]:
    """Return what keeps a hook that is there from being run."""
    return [
        f"{where / name}: is not executable: chmod +x it, or take it away"
        for name in NAMES
        if (where / name).exists() and not os.access(where / name, os.X_OK)
    ]


def run(
    name: str, facts: Mapping[str, str], where: Path, tell: Tell, deadline: float = DEADLINE
) -> str:
    """Run a hook, if there is one, with `facts` in its environment; return why it failed.

    What it prints is told when it ends.
    """
    path = where / name
    if not path.exists():
        return ""
    environment = {key: value for key, value in os.environ.items() if key != events.VARIABLE}
    try:
        process = subprocess.Popen(
            [str(path.resolve())],
            env={**environment, "STOKER_HOOK": name, **facts},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        return f"{path}: {error.strerror}"
    try:
        said, _ = process.communicate(timeout=deadline)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"{path}: did not end within {deadline:.0f} s, and was killed"
    for line in said.splitlines():
        tell(f"{name} | {line}")
    last = said.strip().splitlines()[-1:] or ["it says nothing"]
    return f"{path}: ended with {process.returncode}: {last[0]}" if process.returncode else ""
