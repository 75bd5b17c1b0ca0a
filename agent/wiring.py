"""Puts the real edges together: which source, which act, and who tells whom."""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import aiohttp
import msgspec

import agent
from agent import slots
from agent.api import Reads
from agent.audit import Audit
from agent.casebook import Casebook
from agent.climber import Climber
from agent.converge import Converger, FileGates
from agent.drift.view import LastCheck
from agent.engine_books import EngineBooks
from agent.engines import ENGINES, longest_stop
from agent.errors import SourceError
from agent.fleetlock import FleetLock, NoLock, Slot
from agent.gateway_books import Books
from agent.hold import Hold
from agent.keeper import InState, Keeper
from agent.loop import Loop
from agent.memory import Memory
from agent.model import Phase
from agent.news import News
from agent.outs import Outs
from agent.paths import Paths, engine_unit
from agent.picture import Picture
from agent.publishing import About
from agent.remedies import Remedies
from agent.rungs import UnitRungs
from agent.snapshot import Published, Snapshot
from agent.sources import Edges, Sources
from agent.sources.engine import EngineSource
from agent.sources.gateway import GatewaySource
from agent.sources.host import HostSource
from agent.sources.kmsg import KernelLog
from agent.sources.nvml import NoGpus, NvmlSource
from agent.sources.nvml_events import XID, NvmlEvent, NvmlEvents
from agent.sources.nvml_health import DriverReading
from agent.sources.pci import PciSource
from agent.sources.processes import ProcessSource
from agent.sources.timedate import Timedate
from agent.sources.units import Systemd
from agent.spec import HostSpec
from agent.store import Store, boot_identity
from agent.webhook import Webhook
from agent.xid import bus
from agent.xid.fault import MIG_NONE, KernelFault, from_event

STOP_MARGIN = 60.0  # seconds beyond the engine's own stop


class Wiring:
    """The agent, ready to begin. `loop` decides; `reads` is what HTTP serves of it."""

    def __init__(self, spec: HostSpec, paths: Paths, http: aiohttp.ClientSession) -> None:
        self._spec, self._boot = spec, boot_identity()
        self.published = Published()
        self._units, self._clock = Systemd(), Timedate()
        self._nvml = NvmlSource() if spec.driver.gpu_count else None
        self._events = NvmlEvents(self._event, self._look) if self._nvml else None
        self._log = KernelLog(self._boot, self._faults)
        self._audit = Audit(paths.state / "audit.jsonl")
        self._webhook = _webhook(spec, paths, http)
        tell = (self._tell,) if self._webhook else ()
        self.reads = Reads(self.published, spec.agent.tick, tell)
        books = Books(self.reads.counters.registry, tuple(spec.engines))
        self._engine_books = EngineBooks({n: ENGINES[e.kind] for n, e in spec.engines.items()})
        self.reads.counters.registry.register(self._engine_books)
        self._gateway = GatewaySource(paths.gateway, _certificate(spec, paths), books)
        self._memory = memory = Memory(Store(paths.state / "agent" / "state.json"), self._boot)
        casebook = Casebook(spec, memory, self._audit)
        longest = longest_stop(spec.engines)
        slot = slot_of(spec, http, memory)
        climber = Climber(UnitRungs(self._units), slot, Hold(self._nvml, self._events))
        remedies = Remedies(spec, memory, casebook, climber, self._audit, paths.inhibit)
        sources, outs = Sources(self._edges(paths, http)), Outs(paths.outs)
        self.loop = Loop(
            spec=spec,
            about=About(version=agent.__version__, digest=_digest(spec)),
            memory=memory,
            picture=Picture(spec, memory, sources, casebook, remedies, outs),
            casebook=casebook,
            remedies=remedies,
            converger=Converger(self._units, FileGates(paths), longest + STOP_MARGIN),
            published=self.published,
            audit=self._audit,
            drift=LastCheck(paths.drift),
        )

    @contextlib.asynccontextmanager
    async def live(self) -> AsyncIterator[None]:
        """Take up what was saved, and have everything told from now on."""
        self.published.listen(self._avoid)
        self.loop.begin()
        units = [engine_unit(name) for name in self._spec.engines]
        self._units.watch(units, lambda _: self.loop.wake())
        self._log.start()
        self._gateway.start()
        if self._events:
            self._events.start()
        async with contextlib.AsyncExitStack() as stack:
            if self._webhook:
                await stack.enter_async_context(_running(self._webhook))
            stack.push_async_callback(self._close)
            yield

    def _edges(self, paths: Paths, http: aiohttp.ClientSession) -> Edges:
        spec, nvml = self._spec, self._nvml
        return Edges(
            engines={
                name: EngineSource(
                    *(name, engine, ENGINES[engine.kind], self._units, paths, http),
                    served=partial(self._served, name),
                    told=partial(self._engine_books.take, name),
                )
                for name, engine in spec.engines.items()
            },
            nvml=nvml or NoGpus(),
            pci=PciSource(),
            host=HostSource(_disks(spec, paths), self._units, self._clock),
            log=self._log,
            pids=ProcessSource(spec.engines, paths),
            gateway=self._gateway,
            driver=(lambda: nvml.health) if nvml else DriverReading,
        )

    def _served(self, name: str) -> bool:
        phase = self._memory.state.engines[name].phase
        return phase in {Phase.SERVING, Phase.DRAINING}

    def _faults(self, faults: Sequence[KernelFault]) -> None:
        self.loop.told(faults)

    def _event(self, event: NvmlEvent) -> None:
        """An Xid is a fault; every other event is a reason to look at once."""
        if event.type == XID:
            instances = (
                MIG_NONE if event.gi is None else event.gi,
                MIG_NONE if event.ci is None else event.ci,
            )
            told = from_event(event.pci, event.data, event.at, self._boot, *instances)
            self.loop.told([told])
        self._look()

    def _look(self) -> None:
        if self._nvml:
            self._nvml.refresh()
        self.loop.wake()

    def _avoid(self, _: Snapshot | None, latest: Snapshot) -> None:
        """After some faults a call to the driver may never return."""
        if self._nvml and self._events and latest.gpus:
            off = {
                one.gpu: one.verdict.reason
                for one in latest.incidents
                if one.verdict is not None and one.verdict.hands_off
            }
            self._nvml.hands_off = off
            left = tuple(gpu.pci for gpu in latest.gpus.gpus if bus.normal(gpu.pci) not in off)
            self._events.only = left if off else ()

    def _tell(self, item: News) -> None:
        assert self._webhook
        self._webhook.tell(msgspec.to_builtins(item))

    async def _close(self) -> None:
        """Let go of everything but the engines and the gates: traffic goes on without us."""
        self._log.close()
        self._gateway.close()
        for edge in (self._events, self._nvml, self._units, self._clock):
            if edge is not None:
                with contextlib.suppress(SourceError):
                    await edge.close()


@contextlib.asynccontextmanager
async def _running(webhook: Webhook) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(webhook.run())
        try:
            yield
        finally:
            task.cancel()


def slot_of(spec: HostSpec, http: aiohttp.ClientSession, memory: Memory) -> Slot:
    """Return the slot of this node: one in the group of each model, or always free."""
    url, pattern = spec.agent.fleetlock_url, spec.agent.fleetlock_group
    if url is None:
        return NoLock()
    models = {engine.model for engine in spec.engines.values()}
    return Keeper(
        InState(memory),
        groups=lambda: slots.groups(pattern, {*models, *memory.state.slots.models}),
        server=lambda group, name: FleetLock(url, group, name, http),
        host=spec.name,
    )


def _webhook(spec: HostSpec, paths: Paths, http: aiohttp.ClientSession) -> Webhook | None:
    """The secret is a systemd credential: root's file, handed to this process alone."""
    if spec.agent.webhook_url is None:
        return None
    secret = Path(os.environ["CREDENTIALS_DIRECTORY"], "webhook").read_bytes().strip()
    spool = paths.state / "agent" / "webhook.json"
    return Webhook(spec.agent.webhook_url, secret, http, spec.name, spool)


def _certificate(spec: HostSpec, paths: Paths) -> Path:
    """Return the one that clients see: a host without engines has no gateway."""
    return paths.certificate if spec.engines else paths.balancer_certificate


def _digest(spec: HostSpec) -> str:
    return hashlib.sha256(spec.dump()).hexdigest()[:16]


def _disks(spec: HostSpec, paths: Paths) -> tuple[str, ...]:
    engines = (spec.model.root, "/var/lib/docker") if spec.engines else ()
    return (str(paths.state), *engines)
