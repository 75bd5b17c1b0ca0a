"""The launcher's life: download, shards, router; then wait for the first of them to fail."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...board import Board
from ...logs import Log
from . import problems
from .arguments import Plan
from .children import Children
from .commands import download_command, router_command, shard_command, shard_environment
from .flags import Flags
from .problems import LauncherError

_PERIOD = 0.05  # seconds between two looks at the children
_WAITING_PERIOD = 10.0  # seconds between two "Waiting for shard" lines


class StopRequested(Exception):  # noqa: N818 - no error
    """The launcher was asked to stop."""


class Supervisor:
    """Starts and watches the children; the control port's view of the engine."""

    def __init__(
        self, flags: Flags, plan: Plan, env: dict[str, str], log: Log, board: Board
    ) -> None:
        self._flags, self._plan, self._env, self._log, self._board = flags, plan, env, log, board
        patience = float(flags.required("graceful_termination_timeout"))
        self._children = Children(log, env, patience)
        self._phase = "downloading"
        self._stopping = False
        self._ordered_code: int | None = None

    def stop(self) -> None:
        """Begin a graceful stop; a second call changes nothing."""
        self._stopping = True

    def run(self) -> int:
        """Live to the end; LauncherError for a failure, else the exit code."""
        try:
            self._download()
            self._start_shards()
            self._serve()
        except StopRequested:
            self._phase = "stopping"
            self._children.end()
        return 0

    def state(self) -> dict[str, Any]:
        """Phase, process ids and faults in force."""
        router = self._children.router
        return {
            "phase": self._phase,
            "launcher_pid": os.getpid(),
            "router_pid": router.pid if router else None,
            "shard_pids": [shard.pid for shard in self._children.shards],
            "faults": asdict(self._board.read()),
        }

    def signal_router(self, number: signal.Signals) -> None:
        """Send a signal to the router."""
        if self._children.router is None:
            raise LookupError("the router has not been started")
        self._children.router.send(number)

    def signal_shard(self, rank: int, number: signal.Signals) -> None:
        """Send a signal to a shard."""
        if rank not in self.shard_ranks():
            raise LookupError(f"no shard {rank} has been started")
        self._children.shards[rank].send(number)

    def shard_ranks(self) -> list[int]:
        """The ranks started so far."""
        return list(range(len(self._children.shards)))

    def end(self, code: int) -> None:
        """End at once, children first."""
        self._ordered_code = code

    def _ticks(self) -> Iterator[None]:
        """One turn a period, until a stop or an ordered end."""
        while True:
            if self._ordered_code is not None:
                self._children.kill()
                raise SystemExit(self._ordered_code)
            if self._stopping:
                raise StopRequested
            yield
            time.sleep(_PERIOD)

    def _download(self) -> None:
        model = self._flags.required("model_id")
        self._log.info(f"Starting check and download process for {model}", name="download")
        child = self._children.run_python(download_command(self._flags))
        try:
            for _ in self._ticks():
                code = child.exit_code()
                if code is not None:
                    break
        except StopRequested:
            child.terminate(10)
            raise
        child.finish_output()
        if code == 0:
            self._log.info(f"Successfully downloaded weights for {model}", name="download")
            return
        reason = child.stderr()
        self._log.error(f"Download encountered an error: \n{reason}", name="download")
        raise LauncherError(problems.DOWNLOAD_ERROR)

    def _start_shards(self) -> None:
        self._phase = "loading"
        prefix = self._flags.required("shard_uds_path")
        waiting = {rank: Path(f"{prefix}-{rank}") for rank in range(self._plan.num_shard)}
        for rank, socket in waiting.items():
            socket.unlink(missing_ok=True)
            self._log.info("Starting shard", name="shard-manager", rank=rank)
            env = shard_environment(self._flags, self._plan, rank, self._env)
            command = shard_command(self._flags, self._plan)
            self._children.shards.append(self._children.run_python(command, env))
        began = said = time.monotonic()
        for _ in self._ticks():
            self._fail_if_shard_ended("failed to start", problems.SHARD_CANNOT_START)
            now = time.monotonic()
            for rank in [rank for rank, socket in waiting.items() if socket.exists()]:
                del waiting[rank]
                self._log.info(f"Shard ready in {now - began}s", name="shard-manager", rank=rank)
            if not waiting:
                return
            if now - said > _WAITING_PERIOD:
                said = now
                for rank in waiting:
                    message = "Waiting for shard to be ready..."
                    self._log.info(message, name="shard-manager", rank=rank)

    def _serve(self) -> None:
        self._phase = "serving"
        self._log.info("Starting Webserver")
        router = self._children.start_router(router_command(self._flags, self._plan))
        for _ in self._ticks():
            self._fail_if_shard_ended("crashed", problems.SHARD_FAILED)
            if router.exit_code() is not None:
                router.finish_output()
                # Only now: the real launcher reads the router's stderr after its stdout closed.
                self._children.pass_on(router.stderr())
                self._log.error("Webserver Crashed")
                self._phase = "stopping"
                self._children.end_shards()
                raise LauncherError(problems.WEBSERVER_FAILED)

    def _fail_if_shard_ended(self, how: str, problem: str) -> None:
        for rank, shard in enumerate(self._children.shards):
            code = shard.exit_code()
            if code is None:
                continue
            shard.finish_output()
            span: dict[str, str | int] = {"name": "shard-manager", "rank": rank}
            self._log.error(f"Shard complete standard error output:\n\n{shard.stderr()}", **span)
            if code < 0:
                message = f"Shard process was signaled to shutdown with signal {-code}"
                self._log.error(message, **span)
            self._log.error(f"Shard {rank} {how}")
            self._phase = "stopping"
            self._children.end()
            raise LauncherError(problem)
