"""systemd units: their state, its changes as they happen, and our acts on them, over D-Bus.

Looking loads nothing: a unit loaded by a look is told of to all who watch it, who would look again.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from dbus_fast import Message, Variant

from agent.errors import ActionError, SourceError
from agent.sources import systemd1
from agent.sources.bus import DAEMON, Bus, Connection, RefusedError
from agent.sources.systemd1 import JOB, MANAGER, PROPERTIES, ROOT, UNIT, UNSEEN
from agent.sources.unit import Changed, UnitState

Ends = asyncio.Queue[tuple[str, str]]  # of jobs: the job's path, and its result


class Systemd:
    """The real one. It keeps nothing that it could answer wrongly from.

    `patience` is how many seconds systemd may take to answer, and how long we wait to be told that
    a job has ended before we ask.
    """

    def __init__(self, address: str | None = None, patience: float = 5.0) -> None:
        self.reloads = 0
        self._patience = patience
        self._bus = Bus(address, self._greet, self._hear, patience)
        self._name: str | None = None  # of systemd on the connection
        self._watched: dict[str, _Watched] = {}  # by path
        self._acts: set[Ends] = set()
        self._keeper: asyncio.Task[None] | None = None

    async def state(self, unit: str) -> UnitState:
        """See `Units`."""
        try:
            found = await self._manage("GetUnit", "s", unit)
        except RefusedError as refused:
            if refused.name == systemd1.NO_SUCH_UNIT:
                return UnitState()
            raise
        # Of every interface ("") in one answer, so that all it says is of one moment.
        every = systemd1.message(found.body[0], PROPERTIES, "GetAll", "s", "")
        return UnitState.of((await self._bus.call(every, self._patience)).body[0])

    async def running(self, unit: str) -> bool:
        """See `Units`."""
        return (await self.state(unit)).running

    async def active(self, unit: str) -> str:
        """Return the unit's ActiveState, "" where it is not loaded; see `host.UnitStates`."""
        try:
            found = await self._manage("GetUnit", "s", unit)
        except RefusedError as refused:
            if refused.name == systemd1.NO_SUCH_UNIT:
                return ""
            raise
        asked = systemd1.message(found.body[0], PROPERTIES, "Get", "ss", UNIT, "ActiveState")
        return str((await self._bus.call(asked, self._patience)).body[0].value)

    def watch(self, units: Iterable[str], changed: Changed) -> None:
        """See `Units`. From now on the connection is kept up, whether or not anybody asks."""
        for unit in units:
            self._watched[systemd1.unit_path(unit)] = _Watched(unit, changed)
            if connection := self._bus.live:
                _follow(connection, *systemd1.unit_rules(unit))
        self._keeper = self._keeper or asyncio.create_task(self._bus.keep())

    async def start(self, unit: str, deadline: float) -> None:
        """See `Units`."""
        await self._act("start", unit, deadline)

    async def restart(self, unit: str, deadline: float) -> None:
        """See `Units`."""
        await self._act("restart", unit, deadline)

    async def stop(self, unit: str, deadline: float) -> None:
        """See `Units`."""
        await self._act("stop", unit, deadline)

    async def kill(self, unit: str, signal: int) -> None:
        """See `Units`."""
        with _doing(f"kill {unit}"):
            await self._manage("KillUnit", "ssi", unit, "main", signal)

    async def reboot(self) -> None:
        """See `Units`. By logind, which respects who holds a reboot up (systemd-inhibit(1))."""
        asked = Message(
            destination="org.freedesktop.login1",
            path="/org/freedesktop/login1",
            interface="org.freedesktop.login1.Manager",
            member="Reboot",
            signature="b",
            body=[False],  # nobody is there to be asked for a password
        )
        with _doing("reboot"):
            await self._bus.call(asked, self._patience)

    async def close(self) -> None:
        """Watch no more, and let go of the bus."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait((self._keeper,))
        await self._bus.close()

    async def _act(self, verb: str, unit: str, deadline: float) -> None:
        ends: Ends = asyncio.Queue()
        self._acts.add(ends)  # before the job is asked for: its end can overtake the answer
        try:
            with _doing(f"{verb} {unit}"):
                async with asyncio.timeout(deadline):
                    job = await self._manage(
                        f"{verb.capitalize()}Unit", "ss", unit, "replace", within=deadline
                    )
                    end = await self._end(job.body[0], ends)
                    state = UnitState() if end in systemd1.WELL else await self.state(unit)
        except TimeoutError:
            late = f"{verb} {unit}: not done within {deadline:g} s; systemd goes on with it"
            raise ActionError(late) from None
        finally:
            self._acts.discard(ends)
        as_wanted = end == UNSEEN and state.running == (verb != "stop")
        if end not in systemd1.WELL and not as_wanted:
            why = systemd1.ENDS.get(end, "systemd gave the job up")
            now = f"it is {state.active} ({state.sub}, {state.result})"
            raise ActionError(f"{verb} {unit}: {end}: {why}; {now}")

    async def _end(self, job: str, ends: Ends) -> str:
        """Return the job's result when it is told; `UNSEEN` when there is no such job any more."""
        question = systemd1.message(job, PROPERTIES, "Get", "ss", JOB, "State")
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    while (end := await ends.get())[0] != job:
                        pass
                    return end[1]
            try:
                await self._bus.call(question, self._patience)
            except RefusedError as refused:
                if refused.name == systemd1.GONE:
                    return UNSEEN
            except SourceError:
                continue  # cannot look: the caller has the deadline

    async def _manage(
        self, member: str, signature: str, *body: Any, within: float | None = None
    ) -> Message:
        asked = systemd1.message(ROOT, MANAGER, member, signature, *body)
        return await self._bus.call(asked, within or self._patience)

    async def _greet(self, connection: Connection) -> None:
        """Have told what is of use; what went before was not, so count all as changed."""
        _follow(connection, *systemd1.RULES)
        for watched in self._watched.values():
            _follow(connection, *systemd1.unit_rules(watched.unit))
        told_before = self._name is not None
        answer = await connection.call(systemd1.message(ROOT, MANAGER, "Subscribe"))
        self._name = answer.sender
        self.reloads += told_before
        for watched in self._watched.values():
            watched.see(None)

    def _hear(self, signal: Message) -> None:
        if signal.sender == DAEMON and signal.member == "NameOwnerChanged":
            self._bus.drop()  # systemd begins anew, and does not know what we follow
        if signal.sender != self._name:
            return  # anybody can send a signal
        match signal.member, signal.body:
            case "JobRemoved", [_, job, _, result]:
                for ends in self._acts:
                    ends.put_nowait((job, result))
            case "Reloading", [False]:  # True when it begins
                self.reloads += 1
            case "UnitNew", [_, path] if watched := self._watched.get(path):
                watched.see(None)
            case "PropertiesChanged", [str(of), changed, _] if of == UNIT:
                if watched := self._watched.get(signal.path or ""):
                    watched.see(changed)


class _Watched:
    """A unit, and what was last told of it."""

    def __init__(self, unit: str, changed: Changed) -> None:
        self.unit, self._changed = unit, changed
        self._last: object = None

    def see(self, properties: dict[str, Variant] | None) -> None:
        """Tell of a change; without properties there may have been one."""
        state = properties and (properties.get("ActiveState"), properties.get("SubState"))
        if state is None or state != self._last:
            self._last = state
            self._changed(self.unit)


def _follow(connection: Connection, *rules: str) -> None:
    for rule in rules:
        connection.follow(rule)


@contextlib.contextmanager
def _doing(what: str) -> Iterator[None]:
    """Turn "could not look" into "could not do"."""
    try:
        yield
    except RefusedError as refused:
        raise ActionError(f"{what}: {systemd1.in_words(refused)}") from refused
    except SourceError as error:
        raise ActionError(f"{what}: {error}") from error
