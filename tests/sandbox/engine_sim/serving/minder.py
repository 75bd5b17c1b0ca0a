"""The parent of an engine: passes signals on, ends as the engine ended, and takes orders.

It plays no part in the engine, so that the control port answers when the API server hangs.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..board import RUN_DIR_ENV, Board
from ..control import DEFAULT_PORT, Control
from ..ledger import Ledger
from . import tree

_PACKAGE = __name__.rpartition(".serving")[0]
_PR_SET_PDEATHSIG = 1  # prctl(2)


def mind(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run `command` (program name first) as an engine, and end as it ends."""
    run_dir = Path(tempfile.mkdtemp(prefix="engine-sim-"))
    try:
        minder = Minder(command, env, run_dir)
        port = int(env.get("STOKER_SIM_CONTROL_PORT", DEFAULT_PORT))
        control = Control(("0.0.0.0", port), minder, Board(run_dir), Ledger(run_dir))
        code = minder.wait()
        control.close()
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)
    if code < 0:
        _die_of(signal.Signals(-code))
    return code


class Minder:
    """The control port's view of the engine."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], run_dir: Path) -> None:
        self._run_dir = run_dir
        self._ordered_code: int | None = None
        self._api = subprocess.Popen(
            [sys.executable, "-m", _PACKAGE, *command],
            env={**env, RUN_DIR_ENV: str(run_dir)},
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda given, _: self._api.send_signal(given))

    def wait(self) -> int:
        """The API server's exit code, or minus its signal, or what was ordered."""
        code = self._api.wait()
        return code if self._ordered_code is None else self._ordered_code

    def state(self) -> dict[str, Any]:
        """Phase, process ids and faults in force."""
        now = tree.read(self._run_dir)
        return {
            "phase": now.phase,
            "launcher_pid": os.getpid(),
            "router_pid": self._api.pid,
            "shard_pids": list(now.ranks),
            "faults": asdict(Board(self._run_dir).read()),
        }

    def signal_router(self, number: signal.Signals) -> None:
        """Send a signal to the API server."""
        self._api.send_signal(number)

    def signal_shard(self, rank: int, number: signal.Signals) -> None:
        """Send a signal to a rank's process."""
        ranks = tree.read(self._run_dir).ranks
        if not 0 <= rank < len(ranks):
            raise LookupError(f"no shard {rank} has been started")
        with suppress(ProcessLookupError):  # dead already
            os.kill(ranks[rank], number)

    def shard_ranks(self) -> list[int]:
        """The ranks started so far."""
        return list(range(len(tree.read(self._run_dir).ranks)))

    def end(self, code: int) -> None:
        """End all processes at once."""
        self._ordered_code = code
        for rank in self.shard_ranks():
            self.signal_shard(rank, signal.SIGKILL)
        self._api.kill()


def die_with_minder() -> None:
    """For the API server: whoever kills the minder means the engine."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _die_of(number: signal.Signals) -> None:
    """Give whoever waits for this process what the API server gave to us."""
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # process 1 of a container survives its own signals
