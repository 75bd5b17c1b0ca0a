"""The port of one engine: is it well, what do its counters say, does it answer a chat?

Every request is an errand: an engine that hangs holds one connection of each kind, and no look.
"""

import asyncio
import re
from collections.abc import Callable
from enum import StrEnum

import aiohttp

from agent.engines.base import Engine
from agent.pace import Outcome
from agent.sources.errand import Errand
from agent.spec import EngineSpec

PATIENCE = 0.8  # seconds that a look waits for an answer; a late one is seen by a later look
GIVE_UP = aiohttp.ClientTimeout(total=30.0)  # then /health or /metrics is asked anew
# 503 of vLLM: "The engine is currently busy ..."; of SGLang: "The request queue is full."
FULL = re.compile(rb"(?i)\b(busy|full|overloaded)\b")


class Answer(StrEnum):
    """How a port answers. SLOW is not a fault: an engine under load is slow to say it is well."""

    OK = "ok"
    REFUSED = "refused"
    BAD = "bad"
    SLOW = "slow"


class Port:
    """An engine's port on loopback. Every failure is a value.

    `chat` is the errand of the one-token completion, given up after `deadline()` seconds.
    """

    def __init__(
        self,
        spec: EngineSpec,
        adapter: Engine,
        http: aiohttp.ClientSession,
        deadline: Callable[[], float],
    ) -> None:
        self._base, self._http = f"http://127.0.0.1:{spec.port}", http
        self._adapter, self._body, self._deadline = adapter, adapter.chat(spec), deadline
        self._health, self._metrics = Errand(self._get_health), Errand(self._get_metrics)
        self.chat = Errand(self._post_chat)

    async def look(self) -> tuple[Answer, str | None]:
        """Ask for health and metrics at once; None = no metrics to be had now."""
        self._health.send()
        self._metrics.send()
        health, metrics = await asyncio.gather(
            self._health.fetch(PATIENCE), self._metrics.fetch(PATIENCE)
        )
        return health or Answer.SLOW, metrics

    def forget(self) -> None:
        """Give up what was asked of an engine that is no more."""
        for errand in (self._health, self._metrics, self.chat):
            errand.forget()

    async def _get_health(self) -> Answer:
        try:
            path = self._base + self._adapter.health_path
            async with self._http.get(path, timeout=GIVE_UP) as answer:
                return Answer.OK if answer.status == 200 else Answer.BAD
        except TimeoutError:
            return Answer.SLOW
        except (aiohttp.ClientError, OSError):
            # Refused; or reset, for example by docker-proxy while nothing listens behind it.
            return Answer.REFUSED

    async def _get_metrics(self) -> str | None:
        try:
            path = self._base + self._adapter.metrics_path
            async with self._http.get(path, timeout=GIVE_UP) as answer:
                return await answer.text() if answer.status == 200 else None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, LookupError):
            return None

    async def _post_chat(self) -> Outcome:
        limit = aiohttp.ClientTimeout(total=self._deadline())
        try:
            url = self._base + self._body.path
            async with self._http.post(url, json=self._body.body, timeout=limit) as answer:
                return _outcome(answer.status, await answer.read())
        except TimeoutError:
            return Outcome.SILENT
        except (aiohttp.ClientError, OSError):
            return Outcome.BROKEN


def _outcome(status: int, body: bytes) -> Outcome:
    """TGI says 429 when full; nothing else says it."""
    if status == 429 or (status == 503 and FULL.search(body)):
        return Outcome.FULL
    return Outcome.ANSWERED if status == 200 and body else Outcome.FAILED
