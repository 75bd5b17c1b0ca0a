"""One engine, as seen from outside: its unit, its port, its metrics, its runner's reports."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec

from agent import pace, reports, speed
from agent.engines.base import Engine, Load
from agent.engines.figures import Work
from agent.errors import SourceError
from agent.pace import Outcome, Pace
from agent.paths import Paths, engine_unit
from agent.sources.port import Answer, Port
from agent.sources.unit import Units
from agent.spec import EngineSpec
from agent.speed import Speed

__all__ = ["Answer", "EngineReading", "EngineSource"]

T = TypeVar("T")

_AS_PROOF = {Outcome.ANSWERED: Answer.OK, Outcome.SILENT: Answer.SLOW}  # else BAD


class EngineReading(msgspec.Struct, frozen=True, kw_only=True):
    """One look.

    `chat` is None while no chat was asked of it, `pace` while the engine starts. `load` is that
    of other people's requests: our own are not in it. `loaded`: it has served since its start.
    """

    running: bool
    health: Answer
    chat: Answer | None
    load: Load
    progress: float | None
    started: reports.Started | None
    exit: reports.Exit | None
    pace: Pace | None = None
    loaded: bool = False
    kv_use_ratio: float | None = None
    tokens_per_second: float | None = None


class EngineSource:
    """Looks at one engine, and asks it a chat of one token where looking is not enough.

    A chat is asked for as proof of each start until it has once succeeded, and then as a probe
    whenever `agent.pace` wants one. An engine that has not proved itself is starting, unless our
    very first look finds it well: then it was serving before we came.
    """

    def __init__(
        self,
        name: str,
        spec: EngineSpec,
        adapter: Engine,
        units: Units,
        paths: Paths,
        http: aiohttp.ClientSession,
        clock: Callable[[], float] = time.monotonic,
        served: Callable[[], bool] = lambda: False,
        told: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        """`served`: whether the engine served when we last knew, before this process.

        `told` gets what the engine says of itself, and None when it does not run.
        """
        self._served, self._told, self._speed = served, told, Speed()
        self._name, self._spec, self._adapter, self._clock = name, spec, adapter, clock
        self._units, self._paths = units, paths
        self._patience = adapter.patience(spec)
        self._port = Port(spec, adapter, http, self._deadline)
        self._looked = False
        self._run: reports.Started | None = None
        self._proven = self._judged = False
        self._pace = Pace()
        self._others: int | None = None  # requests in flight when our chat was asked

    async def read(self) -> EngineReading:
        """Look once; raise `SourceError` when even the unit cannot be seen."""
        unit = await self._units.state(engine_unit(self._name))
        if unit.active == "deactivating":  # it may answer to the last, and is to be taken for gone
            raise SourceError("the engine is being stopped")
        running = unit.running
        started = self._report(self._paths.started(self._name), reports.Started)
        if not running or (started is not None and started != self._run):
            self._begin(started)
        health, metrics = await self._port.look() if running else (Answer.REFUSED, None)
        load = self._load(metrics)
        work = self._work(metrics, running=running)
        progress = _understood(self._adapter.progress, metrics, None)
        said = await self._port.chat.fetch()
        chat = self._prove(said, health, load) if started is not None else None
        followed = self._follow(said, health, load, progress) if started is not None else None
        self._looked = True
        return EngineReading(
            running=running,
            health=health,
            chat=chat,
            load=load,
            progress=progress,
            started=started,
            exit=self._report(self._paths.exit(self._name), reports.Exit),
            pace=followed,
            loaded=self._judged or self._served(),
            kv_use_ratio=work.kv_use_ratio,
            tokens_per_second=self._speed.per_second,
        )

    def _begin(self, run: reports.Started | None) -> None:
        """Forget all that was asked of another run, and all that it answered."""
        self._run, self._proven, self._judged = run, False, False
        self._pace, self._others, self._speed = Pace(), None, Speed()
        self._port.forget()

    def _load(self, metrics: str | None) -> Load:
        """Leave our own chat out, where it must be the request that has come on top."""
        load = _understood(self._adapter.load, metrics, Load())
        if self._port.chat.under_way and self._others is not None:
            return load.less_one() if (load.in_flight or 0) > self._others else load
        return load

    def _work(self, metrics: str | None, *, running: bool) -> Work:
        if metrics is not None or not running:
            self._told(metrics)
        work = _understood(self._adapter.work, metrics, Work())
        self._speed = speed.fold(self._speed, self._clock(), work.generated)
        return work

    def _prove(self, said: Outcome | None, health: Answer, load: Load) -> Answer | None:
        """Ask a chat beside the ticks, a first answer can take long; None = not known yet."""
        self._proven = self._proven or said is Outcome.ANSWERED
        # A port that is open and was so before we came: whatever runs there has loaded.
        found = not self._looked and health in {Answer.OK, Answer.SLOW}
        self._judged = self._judged or self._proven or found
        if health is not Answer.OK:
            return None
        if self._proven:
            return Answer.OK
        if said is not None:
            return _AS_PROOF.get(said, Answer.BAD)
        self._ask(load)
        return None

    def _follow(
        self, said: Outcome | None, health: Answer, load: Load, progress: float | None
    ) -> Pace | None:
        """Fold this look into the pace, and have a probe under way while one is due."""
        if not self._judged:
            return None
        if health is Answer.REFUSED:  # ended, or about to; not a hang
            self._pace = Pace()
            return None
        look = pace.Look(
            at=self._clock(),
            pending=load.in_flight,
            progress=progress,
            quick=health is Answer.OK,
            probe=said,
        )
        self._pace = pace.fold(self._pace, look, self._patience)
        if self._pace.due:
            self._ask(load)
        elif self._proven:  # acquitted while it waited: it need not be computed any more
            self._port.chat.forget()
        return self._pace

    def _ask(self, load: Load) -> None:
        if self._port.chat.send():
            self._others = load.in_flight

    def _deadline(self) -> float:
        """Seconds for the next chat; the probe of a proven engine is judged by its pace."""
        return self._patience.blind if self._proven else self._spec.probe_deadline

    @staticmethod
    def _report(path: Path, kind: type[reports.R]) -> reports.R | None:
        try:
            return reports.read(path, kind)
        except SourceError:
            return None  # being written, or from another version: the next look tells


def _understood(read: Callable[[str], T], metrics: str | None, unknown: T) -> T:
    """Read what an engine says of itself: what is garbled is not told, and hides nothing else."""
    if metrics is None:
        return unknown
    try:
        return read(metrics)
    except (ValueError, OverflowError):
        return unknown
