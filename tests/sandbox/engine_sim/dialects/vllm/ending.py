"""How vLLM's API server ends: when it is told to, or when its engine core has died.

With a request open, a stop kills the engine core and then waits for the client, without limit,
unless VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS is set. (The real server wins that race at times; the
simulator never does.)
"""

import asyncio
import os

from ...serving.front import Front
from ...serving.openai import RefusedError
from ...serving.ranks import Ranks
from ...serving.waiting import until
from .log import Log
from .routes import Server

_CHECK = 5.0  # seconds between the server's own looks at its engine
_WIND_UP = 1.0  # seconds from the last answer to the end

_DEAD = (
    "Engine core proc EngineCore died unexpectedly, shutting down client.",
    "AsyncLLM output_handler failed.\nTraceback (most recent call last):\n"
    "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace "
    "(above) for the root cause.",
)


class Ending:
    """Decides when the server is done."""

    def __init__(
        self, front: Front, ranks: Ranks, server: Server, log: Log, drain_seconds: float
    ) -> None:
        self._front, self._ranks, self._server, self._log = front, ranks, server, log
        self._drain = drain_seconds
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """SIGTERM or SIGINT; a second one changes nothing."""
        self._stopping.set()

    async def wait(self) -> None:
        """Return when the server is to end; its exit code is 0 either way."""
        await until(lambda: self._dead() or self._stopping.is_set())
        if self._stopping.is_set():
            await self._stopped()
        else:
            await self._died()

    def _dead(self) -> bool:
        return self._ranks.gone or self._front.stepper.dead

    async def _died(self) -> None:
        self._server.dead = True
        self._log.fail("core_client.py:610", _DEAD[0])
        self._log.fail("async_llm.py:709", _DEAD[1])
        if os.environ.get("VLLM_KEEP_ALIVE_ON_ENGINE_DEATH") == "1":
            await self._stopping.wait()
            return
        # A request that meets the dead engine ends the server before its own look does.
        await until(lambda: self._front.stepper.dead, _CHECK - _WIND_UP)
        await asyncio.sleep(_WIND_UP)

    async def _stopped(self) -> None:
        self._ranks.say("stopping")
        self._log.say("launcher.py:115", "Shutting down FastAPI HTTP server.")
        refusal = "cannot schedule new futures after shutdown"
        self._front.closed = RefusedError(500, refusal, "InternalServerError")
        if await until(lambda: not self._front.open, self._drain):
            return
        if os.environ.get("VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS"):
            self._front.stepper.abort()
            await asyncio.sleep(_WIND_UP)
            return
        self._log.plain("INFO:     Waiting for connections to close. (CTRL+C to force quit)")
        self._ranks.freeze()
        await until(lambda: not self._front.open)
