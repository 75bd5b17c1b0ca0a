"""What the runner of an engine writes for the agent to read: how it started and how it ended."""

from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from agent.errors import GARBLED, SourceError

R = TypeVar("R", bound=msgspec.Struct)


class ExitClass(StrEnum):
    """Why an engine ended, as far as its code and its last lines tell."""

    ASKED = "asked"  # we stopped it
    CONFIG = "config"  # a flag, a limit, a model: the same start fails again
    AUTH = "auth"  # the Hub refused; the same start fails again
    NETWORK = "network"  # the Hub or the registry could not be reached
    PORT = "port"  # somebody else has the port
    MEMORY = "memory"  # out of GPU memory
    GPU = "gpu"  # a CUDA or NCCL error
    CRASH = "crash"  # anything else

    @property
    def hopeless(self) -> bool:
        """True when starting again cannot help: an operator must change something first."""
        return self in {ExitClass.CONFIG, ExitClass.AUTH, ExitClass.PORT}


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What the running engine was started with; lies in `/run`, so it ends with the boot."""

    engine: str
    digest: str
    container: str
    gpus: tuple[str, ...]
    started: float
    pid: int | None = None  # of the container's first process, as the host counts


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine ended. `started` and `ended` are seconds since 1970 (UTC)."""

    engine: str
    digest: str
    kind: ExitClass
    reason: str
    message: str
    code: int
    lines: tuple[str, ...]
    started: float
    ended: float


def read(path: Path, kind: type[R]) -> R | None:
    """Return the report at `path`, or None when there is none; `SourceError` when garbled."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, *GARBLED) as error:
        raise SourceError(f"{path}: {error}") from error


def write(path: Path, report: msgspec.Struct) -> None:
    """Replace the report at `path` in one step, readable by everybody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    new.chmod(0o644)
    new.replace(path)
