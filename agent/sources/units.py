"""systemd units: their state, and the two acts we do on them."""

import asyncio
from typing import Protocol

from agent.errors import ActionError, SourceError

RUNNING = frozenset({"active", "activating", "reloading", "deactivating"})


class Units(Protocol):
    """What the agent needs of systemd. `tests/agent/fakes.py` has the fake."""

    async def running(self, unit: str) -> bool:
        """Say whether the unit has a process; `SourceError` when systemd does not answer."""

    async def restart(self, unit: str, deadline: float) -> None:
        """Stop the unit if it runs, then start it; `ActionError` when that fails or is late."""

    async def stop(self, unit: str, deadline: float) -> None:
        """Stop the unit; `ActionError` when that fails or is late."""


class Systemd:
    """The real one, through `systemctl` (it speaks D-Bus and polkit for us)."""

    async def running(self, unit: str) -> bool:
        """See `Units`."""
        code, out = await _run("show", "--value", "--property=ActiveState", unit, deadline=5.0)
        if code != 0:
            raise SourceError(f"systemctl show {unit}: {out}")
        return out in RUNNING

    async def restart(self, unit: str, deadline: float) -> None:
        """See `Units`."""
        await self._act("restart", unit, deadline)

    async def stop(self, unit: str, deadline: float) -> None:
        """See `Units`."""
        await self._act("stop", unit, deadline)

    async def _act(self, verb: str, unit: str, deadline: float) -> None:
        try:
            code, out = await _run(verb, unit, deadline=deadline)
        except SourceError as error:
            raise ActionError(str(error)) from error
        if code != 0:
            raise ActionError(f"systemctl {verb} {unit}: {out}")


async def _run(*arguments: str, deadline: float) -> tuple[int, str]:
    try:
        process = await asyncio.create_subprocess_exec(
            "systemctl",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise SourceError(f"systemctl cannot be run: {error}") from error
    try:
        out, _ = await asyncio.wait_for(process.communicate(), deadline)
    except TimeoutError:
        raise SourceError(
            f"systemctl {' '.join(arguments)}: no answer within {deadline:.0f} s"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(errors="replace").strip()
