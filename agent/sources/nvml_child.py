"""A child process that talks to the driver, seen from the agent: lines in, lines out, a deadline.

The driver can hold a process in uninterruptible sleep, where not even SIGKILL ends it. So nothing
here waits without a limit, and a child that does not end is left behind.
"""

import asyncio
import mmap
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from agent.errors import SourceError

LONGEST_LINE = 1 << 20  # bytes


class Child(Protocol):
    """What the parents need of a child."""

    @property
    def place(self) -> int | None:
        """Number of the GPU that it is looking at, or None."""

    @property
    def has_ended(self) -> bool:
        """Whether the kernel let it go."""

    async def ask(self, line: bytes) -> bytes:
        """Send a line and return the next one; `OSError` when the child has ended."""

    async def line(self) -> bytes:
        """Return the next line; `OSError` when the child has ended."""

    def kill(self) -> None:
        """Send SIGKILL, and do not wait."""

    async def ended(self, within: float) -> bool:
        """Wait for the end, for so many seconds at most."""


class Process:
    """A real child."""

    def __init__(self, process: asyncio.subprocess.Process, place: mmap.mmap) -> None:
        self._process, self._place = process, place

    @classmethod
    async def start(cls, command: Sequence[str]) -> "Process":
        """Start `command`; STOKER_NVML_PLACE is where it says which GPU it looks at.

        Raises `SourceError` when it cannot be started.
        """
        shared = os.memfd_create("stoker-nvml")
        try:
            os.ftruncate(shared, 1)
            place = mmap.mmap(shared, 1)
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=(shared,),
                env={**os.environ, "STOKER_NVML_PLACE": str(shared)},
                limit=LONGEST_LINE,
            )
        except OSError as error:
            raise SourceError(f"{command[0]} cannot be started: {error}") from error
        finally:
            os.close(shared)
        return cls(process, place)

    @property
    def place(self) -> int | None:
        """See `Child`."""
        return self._place[0] - 1 if self._place[0] else None

    @property
    def has_ended(self) -> bool:
        """See `Child`."""
        return self._process.returncode is not None

    async def ask(self, line: bytes) -> bytes:
        """See `Child`."""
        if self._process.stdin is None:
            raise BrokenPipeError("no pipe")
        self._process.stdin.write(line + b"\n")
        return await self.line()

    async def line(self) -> bytes:
        """See `Child`."""
        if self._process.stdout is None:
            raise BrokenPipeError("no pipe")
        try:
            return await self._process.stdout.readuntil(b"\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise ConnectionResetError(f"no whole line: {error}") from error

    def kill(self) -> None:
        """See `Child`."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self, within: float) -> bool:
        """See `Child`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._process.wait()
        return self.has_ended
