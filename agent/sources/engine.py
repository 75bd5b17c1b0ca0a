"""One engine, as seen from outside: its unit, its port, its metrics, its runner's reports."""

import asyncio
from enum import StrEnum
from pathlib import Path

import aiohttp
import msgspec

from agent import reports
from agent.engines.base import Engine, Load
from agent.errors import SourceError
from agent.paths import Paths, engine_unit
from agent.sources.units import Units
from agent.spec import EngineSpec


class Answer(StrEnum):
    """How a port answers. SLOW is not a fault: an engine under load is slow to say it is well."""

    OK = "ok"
    REFUSED = "refused"
    BAD = "bad"
    SLOW = "slow"


class EngineReading(msgspec.Struct, frozen=True, kw_only=True):
    """One look. `chat` is None while no chat was asked of it."""

    running: bool
    health: Answer
    chat: Answer | None
    load: Load
    progress: float | None
    started: reports.Started | None
    exit: reports.Exit | None


class EngineSource:
    """Looks at one engine. The proof by chat is asked for until it has once succeeded."""

    def __init__(
        self,
        name: str,
        spec: EngineSpec,
        adapter: Engine,
        units: Units,
        paths: Paths,
        http: aiohttp.ClientSession,
    ) -> None:
        self._name, self._spec, self._adapter = name, spec, adapter
        self._units, self._paths, self._http = units, paths, http
        self._base = f"http://127.0.0.1:{spec.port}"
        self._proven: reports.Started | None = None
        self._chat: asyncio.Task[Answer] | None = None
        self._asked: reports.Started | None = None  # the start that `_chat` is to prove

    async def read(self) -> EngineReading:
        """Look once; raise `SourceError` when even the unit cannot be seen."""
        running = await self._units.running(engine_unit(self._name))
        started = self._report(self._paths.started(self._name), reports.Started)
        health = await self._get(self._adapter.health_path) if running else Answer.REFUSED
        metrics = await self._metrics() if health in {Answer.OK, Answer.BAD} else None
        return EngineReading(
            running=running,
            health=health,
            chat=self._prove(started) if health is Answer.OK else None,
            load=self._adapter.load(metrics) if metrics is not None else Load(),
            progress=self._adapter.progress(metrics) if metrics is not None else None,
            started=started,
            exit=self._report(self._paths.exit(self._name), reports.Exit),
        )

    def _prove(self, started: reports.Started | None) -> Answer | None:
        """Ask one chat per start of the engine, beside the ticks: a first answer can take long."""
        if started is None:
            return None
        if self._proven == started:
            return Answer.OK
        if self._chat is not None and self._asked != started:  # an answer of a former run
            self._chat.cancel()
            self._chat = None
        if self._chat is None:
            self._chat, self._asked = asyncio.create_task(self._ask()), started
            return None
        if not self._chat.done():
            return None
        answer, self._chat = self._chat.result(), None
        if answer is Answer.OK:
            self._proven = started
        return answer

    async def _ask(self) -> Answer:
        chat = self._adapter.chat(self._spec)
        limit = aiohttp.ClientTimeout(total=self._spec.probe_deadline)
        try:
            url = self._base + chat.path
            async with self._http.post(url, json=chat.body, timeout=limit) as answer:
                body = await answer.read()
                return Answer.OK if answer.status == 200 and body else Answer.BAD
        except TimeoutError:
            return Answer.SLOW
        except (aiohttp.ClientError, OSError):
            return Answer.BAD

    async def _get(self, path: str) -> Answer:
        try:
            limit = aiohttp.ClientTimeout(total=2.0)
            async with self._http.get(self._base + path, timeout=limit) as answer:
                return Answer.OK if answer.status == 200 else Answer.BAD
        except aiohttp.ClientConnectorError:
            return Answer.REFUSED
        except TimeoutError:
            return Answer.SLOW
        except (aiohttp.ClientError, OSError):
            # For example reset by docker-proxy, while nothing listens behind it.
            return Answer.REFUSED

    async def _metrics(self) -> str | None:
        try:
            limit = aiohttp.ClientTimeout(total=2.0)
            path = self._base + self._adapter.metrics_path
            async with self._http.get(path, timeout=limit) as answer:
                return await answer.text() if answer.status == 200 else None
        except (TimeoutError, aiohttp.ClientError, OSError, UnicodeDecodeError):
            return None

    @staticmethod
    def _report(path: Path, kind: type[reports.R]) -> reports.R | None:
        try:
            return reports.read(path, kind)
        except SourceError:
            return None  # being written, or from another version: the next look tells
