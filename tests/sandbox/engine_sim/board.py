"""The faults in force, in a small file: written by the control port, read by every process.

A file and not a connection, so that a hung process needs no part in becoming, or ceasing to be,
faulty.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

RUN_DIR_ENV = "STOKER_SIM_RUN_DIR"


@dataclass(frozen=True)
class Faults:
    """What is wrong at the moment; the defaults are health."""

    tokens_per_second: float | None = None
    """"slow": this rate instead of the usual one."""
    overload: bool = False
    """Every request finds all permits taken."""
    router_loop_dead: bool = False
    """The batching task dies at its next turn, for good."""
    next_request: str = ""
    """"oom" or "error": what the next prefill meets."""
    shard_crash: str = ""
    """How a shard dies: "oom", "cuda", "nccl", "sigbus" or "killed"."""
    shard_crash_rank: int = 0
    long_prefill_tokens: int = 0
    long_prefill_seconds: float = 0.0
    long_prefill_order: int = 0
    """The serial of the order, so that it stretches one request only."""
    serial: int = 0
    """Raised with every change, so that a one-time fault strikes once."""


class Board:
    """The file of the faults in force."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / "faults.json"
        self._mtime = -1
        self._faults = Faults()

    def read(self) -> Faults:
        """The faults in force; cheap enough for every decode step."""
        try:
            mtime = self._path.stat().st_mtime_ns
            if mtime != self._mtime:
                self._faults = Faults(**json.loads(self._path.read_text()))
                self._mtime = mtime
        except FileNotFoundError:
            pass
        return self._faults

    def change(self, **changes: float | str | bool | None) -> Faults:
        """Put other faults in force; the unnamed stay as they are."""
        now = self.read()
        faults = replace(now, **changes, serial=now.serial + 1)  # type: ignore[arg-type]
        self._replace(faults)
        return faults

    def clear(self) -> Faults:
        """Back to health; what has died stays dead."""
        faults = Faults(serial=self.read().serial + 1)
        self._replace(faults)
        return faults

    def _replace(self, faults: Faults) -> None:
        scratch = self._path.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(faults)))
        scratch.rename(self._path)
