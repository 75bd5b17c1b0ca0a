"""The launcher's children: what they print goes to its log, and they end in the right order."""

import signal
from collections.abc import Mapping

from ...logs import Log
from ...process import Child
from . import python_log


class Children:
    """The shards and the router."""

    def __init__(self, log: Log, env: Mapping[str, str], patience: float) -> None:
        """``patience``: seconds from SIGTERM to SIGKILL, for the router and then for the shards."""
        self._log, self._env, self._patience = log, env, patience
        self.shards: list[Child] = []
        self.router: Child | None = None

    def run_python(self, command: list[str], env: Mapping[str, str] | None = None) -> Child:
        """Start a Python program; its log lines become the launcher's own records."""
        return Child(command, env or self._env, self._repeat)

    def start_router(self, command: list[str]) -> Child:
        """Start the router; its lines are passed on as they are."""
        self.router = Child(command, self._env, self.pass_on)
        return self.router

    def end(self) -> None:
        """Router first, to its last stream; then the shards."""
        if self.router is not None:
            self._terminate("webserver", self.router)
            self.router.finish_output()
        self.end_shards()

    def end_shards(self) -> None:
        """All at once: the real launcher has one thread a shard."""
        self._log.info("Shutting down shards")
        for shard in self.shards:
            shard.send(signal.SIGTERM)
        for rank, shard in enumerate(self.shards):
            self._terminate("shard", shard, rank=rank)

    def kill(self) -> None:
        """End them at once."""
        for child in (self.router, *self.shards):
            if child is not None:
                child.send(signal.SIGKILL)

    def pass_on(self, text: str) -> None:
        """Text of a child, unchanged; nothing for nothing."""
        if text:
            self._log.raw(text)

    def _terminate(self, what: str, child: Child, **span: str | int) -> None:
        if child.exit_code() is not None:
            return
        self._log.info(f"Terminating {what}", **span)
        self._log.info(f"Waiting for {what} to gracefully shutdown", **span)
        by_itself = child.terminate(self._patience)
        self._log.info(f"{what} {'terminated' if by_itself else 'killed'}", **span)

    def _repeat(self, line: str) -> None:
        record = python_log.read(line)
        if record is not None:
            level, message = record
            self._log.record(level.replace("WARNING", "WARN"), message)
        elif self._env.get("LOG_LEVEL") == "debug":
            self.pass_on(line)
