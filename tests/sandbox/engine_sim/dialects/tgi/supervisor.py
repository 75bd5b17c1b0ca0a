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
from ...process import Child
from . import problems, python_log
from .arguments import Plan
from .commands import download_command, router_command, shard_command, shard_environment
from .flags import Flags
from .problems import LauncherError

_PERIOD = 0.05  # seconds between two looks at the children


class Stopped(Exception):
    """The launcher was asked to stop; not a failure."""


class Supervisor:
    """Starts and watches the children; the control port's view of the engine."""

    def __init__(
        self, flags: Flags, plan: Plan, env: dict[str, str], log: Log, board: Board
    ) -> None:
        self._flags, self._plan, self._env, self._log, self._board = flags, plan, env, log, board
        self._patience = float(flags.required("graceful_termination_timeout"))
        self._shards: list[Child] = []
        self._router: Child | None = None
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
        except Stopped:
            self._end_gracefully()
        return 0

    def state(self) -> dict[str, Any]:
        """Phase, process ids and faults in force."""
        return {
            "phase": self._phase,
            "launcher_pid": os.getpid(),
            "router_pid": self._router.pid if self._router else None,
            "shard_pids": [shard.pid for shard in self._shards],
            "faults": asdict(self._board.read()),
        }

    def signal_router(self, number: signal.Signals) -> None:
        """Send a signal to the router."""
        if self._router is None:
            raise LookupError("the router has not been started")
        self._router.send(number)

    def signal_shard(self, rank: int, number: signal.Signals) -> None:
        """Send a signal to a shard."""
        if rank not in self.shard_ranks():
            raise LookupError(f"no shard {rank} has been started")
        self._shards[rank].send(number)

    def shard_ranks(self) -> list[int]:
        """The ranks started so far."""
        return list(range(len(self._shards)))

    def end(self, code: int) -> None:
        """End at once, children first."""
        self._ordered_code = code

    def _ticks(self) -> Iterator[None]:
        """One turn a period, until a stop or an ordered end."""
        while True:
            if self._ordered_code is not None:
                self._kill_children()
                raise SystemExit(self._ordered_code)
            if self._stopping:
                raise Stopped
            yield
            time.sleep(_PERIOD)

    def _download(self) -> None:
        model = self._flags.required("model_id")
        self._log.info(f"Starting check and download process for {model}", name="download")
        child = Child(download_command(self._flags), self._env, self._repeat)
        try:
            for _ in self._ticks():
                code = child.exit_code()
                if code is not None:
                    break
        except Stopped:
            child.terminate(10)
            raise
        child.finish_output()
        if code == 0:
            self._log.info(f"Successfully downloaded weights for {model}", name="download")
            return
        reason = child.stderr()
        if code is not None and code < 0:
            message = f"Download process was signaled to shutdown with signal {-code}: \n{reason}"
        else:
            message = f"Download encountered an error: \n{reason}"
        self._log.error(message, name="download")
        raise LauncherError(problems.DOWNLOAD_ERROR)

    def _start_shards(self) -> None:
        self._phase = "loading"
        sockets = [self._socket(rank) for rank in range(self._plan.num_shard)]
        for rank, socket in enumerate(sockets):
            socket.unlink(missing_ok=True)
            self._log.info("Starting shard", name="shard-manager", rank=rank)
            env = shard_environment(self._flags, self._plan, rank, self._env)
            self._shards.append(Child(shard_command(self._flags, self._plan), env, self._repeat))
        began = said = time.monotonic()
        waiting = set(range(self._plan.num_shard))
        for _ in self._ticks():
            self._fail_if_shard_ended("failed to start", problems.SHARD_CANNOT_START)
            now = time.monotonic()
            for rank in [rank for rank in waiting if sockets[rank].exists()]:
                waiting.remove(rank)
                self._log.info(f"Shard ready in {now - began}s", name="shard-manager", rank=rank)
            if not waiting:
                return
            if now - said > 10:
                said = now
                for rank in waiting:
                    message = "Waiting for shard to be ready..."
                    self._log.info(message, name="shard-manager", rank=rank)

    def _serve(self) -> None:
        self._phase = "serving"
        self._log.info("Starting Webserver")
        router = Child(router_command(self._flags, self._plan), self._env, self._pass_on)
        self._router = router
        for _ in self._ticks():
            self._fail_if_shard_ended("crashed", problems.SHARD_FAILED)
            if router.exit_code() is not None:
                router.finish_output()
                # Only now: the real launcher reads the router's stderr after its stdout closed.
                self._pass_on(router.stderr())
                self._log.error("Webserver Crashed")
                self._stop_shards()
                raise LauncherError(problems.WEBSERVER_FAILED)

    def _fail_if_shard_ended(self, how: str, problem: str) -> None:
        for rank, shard in enumerate(self._shards):
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
            self._end_gracefully()
            raise LauncherError(problem)

    def _end_gracefully(self) -> None:
        """Router first, to its last stream; then the shards."""
        self._phase = "stopping"
        if self._router is not None:
            self._terminate("webserver", self._router)
            self._router.finish_output()
        self._stop_shards()

    def _stop_shards(self) -> None:
        self._phase = "stopping"
        self._log.info("Shutting down shards")
        for shard in self._shards:
            # All at once: the real launcher has one thread a shard.
            if shard.exit_code() is None:
                shard.send(signal.SIGTERM)
        for rank, shard in enumerate(self._shards):
            self._terminate("shard", shard, rank=rank)

    def _terminate(self, what: str, child: Child, **span: str | int) -> None:
        if child.exit_code() is not None:
            return
        self._log.info(f"Terminating {what}", **span)
        self._log.info(f"Waiting for {what} to gracefully shutdown", **span)
        if child.terminate(self._patience):
            self._log.info(f"{what} terminated", **span)
        else:
            self._log.info(f"{what} killed", **span)

    def _kill_children(self) -> None:
        for child in (self._router, *self._shards):
            if child is not None:
                child.send(signal.SIGKILL)

    def _socket(self, rank: int) -> Path:
        return Path(f"{self._flags.required('shard_uds_path')}-{rank}")

    def _repeat(self, line: str) -> None:
        record = python_log.read(line)
        if record is not None:
            level, message = record
            self._log.record(level.replace("WARNING", "WARN"), message)
        elif self._env.get("LOG_LEVEL") == "debug":
            self._pass_on(line)

    def _pass_on(self, line: str) -> None:
        if line:
            self._log.raw(line)
