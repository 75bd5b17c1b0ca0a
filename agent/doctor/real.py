"""This machine, read for examinations."""

import glob
import os
import signal
import ssl
import stat
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from agent.client import Agent
from agent.doctor.node import Look, Ran, Space
from agent.errors import SourceError
from agent.paths import Paths
from agent.snapshot import Snapshot

# Answers in English, and nothing that asks.
_ENVIRONMENT = {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What is longer is cut off. Some files of /proc make the kernel set aside all that is asked for.
_PIECE, _PIECES = 64 * 1024, 64


class RealNode:
    """See `node.Node`."""

    def __init__(self, paths: Paths | None = None) -> None:
        self._paths = paths or Paths()

    def text(self, path: str) -> str | None:
        """See `Node`."""
        try:
            with Path(path).open("rb", buffering=0) as file:
                pieces = iter(lambda: file.read(_PIECE), b"")
                return b"".join(islice(pieces, _PIECES)).decode(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error

    def look(self, path: str) -> Look | None:
        """See `Node`."""
        try:
            found = Path(path).stat()
            shut = not all(up.stat().st_mode & stat.S_IXOTH for up in Path(path).parents)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error
        return Look(
            mode=stat.S_IMODE(found.st_mode),
            user=found.st_uid,
            directory=stat.S_ISDIR(found.st_mode),
            time=found.st_mtime,
            arrived=found.st_ctime,
            shut=shut,
        )

    def paths(self, pattern: str) -> Sequence[str]:
        """See `Node`."""
        return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - of absolute patterns

    def real(self, path: str) -> str | None:
        """See `Node`."""
        return os.path.realpath(path) if Path(path).exists() else None

    def space(self, path: str) -> Space | None:
        """See `Node`."""
        try:
            found, where = os.statvfs(path), Path(path).stat().st_dev
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error
        return Space(
            where=where,
            free=found.f_bavail * found.f_frsize,
            total=found.f_blocks * found.f_frsize,
            inodes_free=found.f_favail,
            inodes=found.f_files,
        )

    def run(self, *command: str, seconds: float = 5.0) -> Ran | None:
        """See `Node`. A program that hangs in the kernel is left behind: it would not end."""
        environment = {**os.environ, **_ENVIRONMENT, "PATH": _PATH}
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=environment,
                start_new_session=True,
            )
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceError(f"{command[0]}: {error.strerror}") from error
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            raise SourceError(f"{_name(command)}: no answer within {seconds:.0f} s") from None
        return Ran(process.returncode, out, err)

    def agent(self) -> Snapshot:
        """See `Node`."""
        return Agent(str(self._paths.socket), timeout=5.0).status()

    def certificate(self, port: int) -> str | None:
        """See `Node`."""
        try:
            return ssl.get_server_certificate(("127.0.0.1", port), timeout=5.0)
        except ConnectionRefusedError:
            return None
        except OSError as error:
            raise SourceError(f"port {port}: {error}") from error


def _name(command: Sequence[str]) -> str:
    return " ".join(command[-2:]) if "-m" in command else command[0]
