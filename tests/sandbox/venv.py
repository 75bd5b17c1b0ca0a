"""Virtual environments for heavy tools, made once for each list of requirements and kept."""

import hashlib
import shutil
import sys
from pathlib import Path

from tests.sandbox.progress import step
from tests.sandbox.shell import SandboxError, run

CACHE = Path("/var/cache/stoker-sandbox/venvs")
PYTHON = "3.11"
INSTALL_DEADLINE = 1800.0


def ensure(name: str, requirements: Path) -> Path:
    """Give the directory of an environment with exactly `requirements` (a complete list, pinned).

    How pip reaches its index is pip's ordinary configuration. SandboxError when there is no
    Python 3.11 or when pip fails.
    """
    directory = CACHE / f"{name}-{digest(requirements)}"
    complete = directory / "complete"
    if complete.exists():
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    run([_interpreter(), "-m", "venv", str(directory)], deadline=120)
    pip = [str(directory / "bin/python"), "-m", "pip", "install", "--quiet", "--no-compile"]
    with step(f"installing the packages of {requirements.name} (minutes)"):
        run([*pip, "--no-deps", "--requirement", str(requirements)], deadline=INSTALL_DEADLINE)
    complete.touch()
    return directory


def digest(requirements: Path) -> str:
    """Twelve hex digits for a list of requirements and the Python that they are for."""
    return hashlib.sha256(PYTHON.encode() + requirements.read_bytes()).hexdigest()[:12]


def _interpreter() -> str:
    if sys.version_info[:2] == tuple(map(int, PYTHON.split("."))):
        return sys.executable
    if found := shutil.which(f"python{PYTHON}"):
        return found
    raise SandboxError(f"python{PYTHON} is not installed on this machine; the wheels used need it")
