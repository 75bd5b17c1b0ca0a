"""The faults that were told, and what they mean for the engines: `agent.xid` on this node."""

import logging
import time
from collections.abc import Callable, Iterable

import msgspec

from agent.audit import Audit
from agent.facts import ContextOf, Facts, buses, context_of, pids_on
from agent.memory import Memory
from agent.model import Condition, EngineState
from agent.spec import HostSpec
from agent.xid import catalogue, ledger, standing
from agent.xid.fault import KernelFault, Kind
from agent.xid.verdict import first, judge

log = logging.getLogger("stoker.casebook")


class Casebook:
    """Owns the ledger within the node's memory; `facts` are as of the latest look."""

    def __init__(
        self, spec: HostSpec, memory: Memory, audit: Audit, clock: Callable[[], float] = time.time
    ) -> None:
        self._memory, self._audit, self._clock = memory, audit, clock
        self._window = spec.agent.companion_window
        self._overrides = catalogue.overrides(spec.check.xid)
        self.facts = Facts()

    def learn(self, facts: Facts) -> None:
        """Take in a look at the GPUs and their users."""
        self.facts = facts
        known = self._memory.state.buses
        if (seen := buses(facts.gpus, known)) != known:
            self._memory.change(buses=seen)

    def told(self, faults: Iterable[KernelFault]) -> bool:
        """Take in faults from either source; say whether any tells something new."""
        new, book = False, self._memory.state.ledger
        places = {uuid: bus for bus, uuid in self._memory.state.buses.items()}
        context = self._context()
        for fault in (one.placed(places) for one in faults):
            news = ledger.news(book, fault)
            book = ledger.fold(book, fault, self._clock(), companions=self._window)
            if news and fault.kind is not Kind.RESET and first(fault, context(fault.gpu, "")):
                book = ledger.suspected(book, fault)
            new = news or new
        self._memory.change(ledger=book)
        return new

    def judge(self) -> None:
        """Choose the remedy for every group whose companion window is over."""
        now, context = self._clock(), self._context()
        for group in ledger.ripe(self._memory.state.ledger, now, self._window):
            book = self._memory.state.ledger
            faults = ledger.faults(book, group)
            verdict = judge(faults, context(faults[0].gpu, group))
            uuid = self._memory.state.buses.get(faults[0].gpu, "")
            pids = pids_on(self.facts, self._memory.state.engines, uuid)
            self._memory.change(ledger=ledger.judged(book, group, verdict, pids, now))
            log.warning("incident=%s remedy=%s: %s", group, verdict.remedy.value, verdict.message)
            self._audit.write(
                "verdict",
                incident=group,
                gpu=verdict.gpu,
                reason=verdict.reason,
                remedy=verdict.remedy.value,
                rule=verdict.rule,
                message=verdict.message,
            )

    def prove(self, state: EngineState) -> None:
        """Take in that an engine answers: what its last start was to cure is cured."""
        places = {uuid: bus for bus, uuid in self._memory.state.buses.items()}
        book = self._memory.state.ledger
        for gpu in (places[uuid] for uuid in state.gpus if uuid in places):
            book = ledger.proven(book, gpu, state.last_start, self._clock())
        self._memory.change(ledger=book)

    def was_reset(self, subject: str) -> None:
        """Take in that a GPU (`gpu:UUID`), or every GPU, was reset and is well."""
        state, uuid = self._memory.state, subject.partition(":")[2]
        gpus = {gpu for gpu, known in state.buses.items() if known == uuid}
        if subject == standing.FABRIC:  # its switches too
            gpus = {*state.buses, *(one.gpu for one in state.ledger.open if one.kind is Kind.SXID)}
        for gpu in sorted(gpus):
            fault = KernelFault(gpu=gpu, xid=0, kind=Kind.RESET, at=self._clock())
            self.told([msgspec.structs.replace(fault, boot=self._memory.boot)])

    def acknowledge(self, incident: str, by: str, why: str) -> bool:
        """Close an incident by a person's word; False when no such incident is open."""
        book = self._memory.state.ledger
        if all(one.id != incident for one in book.open):
            return False
        closed = ledger.acknowledged(book, incident, by, why, self._clock())
        self._memory.change(ledger=closed)
        return True

    def conditions(self) -> tuple[Condition, ...]:
        """Return what stands."""
        state = self._memory.state
        return standing.conditions(state.ledger, state.buses)

    def _context(self) -> ContextOf:
        state = self._memory.state
        return context_of(
            self.facts, state.ledger, state.engines, state.buses, self._overrides, self._clock()
        )
