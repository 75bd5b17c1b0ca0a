"""A private D-Bus daemon, and a stand-in for systemd on it that does as it is told.

It speaks org.freedesktop.systemd1(5) with the habits that systemd 252 and 257 were seen to have: it
pushes to subscribers only, and tells of a unit that was just loaded as new before it tells changes.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Any, Self

from dbus_fast import DBusError, Message, MessageType, NameFlag, RequestNameReply, Variant
from dbus_fast.aio import MessageBus

SYSTEMD = "org.freedesktop.systemd1"
LOGIN = "org.freedesktop.login1"
ROOT = "/org/freedesktop/systemd1"
MANAGER, UNIT = f"{SYSTEMD}.Manager", f"{SYSTEMD}.Unit"
PROPERTIES = "org.freedesktop.DBus.Properties"
Answer = tuple[Any, ...]  # a signature, and what it describes

UNKNOWN_OBJECT = "org.freedesktop.DBus.Error.UnknownObject"

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
"""

STOPPED = {
    "ActiveState": Variant("s", "inactive"),
    "SubState": Variant("s", "dead"),
    "Result": Variant("s", "success"),
    "ExecMainCode": Variant("i", 0),
    "ExecMainStatus": Variant("i", 0),
    "MainPID": Variant("u", 0),
}
RUNS = STOPPED | {
    "ActiveState": Variant("s", "active"),
    "SubState": Variant("s", "running"),
    "MainPID": Variant("u", 4711),
}
FAILED = STOPPED | {
    "ActiveState": Variant("s", "failed"),
    "SubState": Variant("s", "failed"),
    "Result": Variant("s", "exit-code"),
    "ExecMainCode": Variant("i", 1),
    "ExecMainStatus": Variant("i", 3),
}
AFTER = {"StartUnit": RUNS, "RestartUnit": RUNS, "StopUnit": STOPPED}


class Daemon:
    """A `dbus-daemon` of our own, on a socket of its own."""

    def __init__(self, directory: Path) -> None:
        self._socket, self._config = directory / "bus", directory / "bus.conf"
        self._config.write_text(CONFIG.format(path=self._socket))
        self._process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        return f"unix:path={self._socket}"

    async def start(self) -> None:
        """Return when it listens."""
        self._process = await asyncio.create_subprocess_exec(
            *("dbus-daemon", f"--config-file={self._config}", "--nofork", "--print-address"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert await asyncio.wait_for(self._process.stdout.readline(), 10.0)

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._socket.unlink(missing_ok=True)


class StandIn:
    """systemd and logind in one. What was asked of it is in `asked`."""

    def __init__(self) -> None:
        self.units: dict[str, dict[str, Variant]] = {}  # those that are loaded
        self.asked: list[str] = []
        self.ends = "done"  # how jobs end; "" for never
        self.tells = True  # the ends of jobs
        self.tells_first = False  # the end of a job, and only then its path
        self.mute: set[str] = set()  # members that are never answered
        self.refuses: dict[str, tuple[str, str]] = {}  # member: name and text of the error
        self._bus: MessageBus | None = None
        self._subscribed = False
        self._jobs: dict[int, tuple[str, str]] = {}  # that run: what, and the unit
        self._count = 0
        self._news = asyncio.Event()

    async def appear(self, address: str) -> Self:
        """Come up on the bus, without subscribers; jobs live on, as over a daemon-reexec."""
        self._bus = await MessageBus(bus_address=address).connect()
        self._bus.add_message_handler(self._answer)
        self._subscribed = False
        for name in (SYSTEMD, LOGIN):
            got = await self._bus.request_name(name, NameFlag.DO_NOT_QUEUE)
            assert got is RequestNameReply.PRIMARY_OWNER
        return self

    async def vanish(self) -> None:
        if self._bus is not None:
            self._bus.disconnect()
            with contextlib.suppress(EOFError, OSError):
                await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
            self._bus = None

    async def hears(self, question: str) -> None:
        """Wait until something that begins so has been asked."""
        async with asyncio.timeout(10.0):
            while not any(asked.startswith(question) for asked in self.asked):
                self._news.clear()
                await self._news.wait()

    def load(self, unit: str) -> None:
        """Load a unit: it is told of as new."""
        self.units[unit] = dict(STOPPED)
        self._push(ROOT, MANAGER, "UnitNew", "so", unit, path_of(unit))

    def become(self, unit: str, properties: dict[str, Variant]) -> None:
        """Change the state of a unit that is loaded, and tell."""
        self.units[unit] = dict(properties)
        told = {name: properties[name] for name in ("ActiveState", "SubState")}
        self._push(path_of(unit), PROPERTIES, "PropertiesChanged", "sa{sv}as", UNIT, told, [])

    def reload(self) -> None:
        """Behave as on `systemctl daemon-reload`."""
        self._push(ROOT, MANAGER, "Reloading", "b", True)
        self._push(ROOT, MANAGER, "Reloading", "b", False)

    def end(self, result: str = "done") -> None:
        """End all jobs."""
        for job in list(self._jobs):
            self._end(job, result)

    def _end(self, job: int, result: str) -> None:
        member, unit = self._jobs.pop(job)
        self.become(unit, AFTER[member] if result == "done" else FAILED)
        if self.tells:
            body = (job, f"{ROOT}/job/{job}", unit, result)
            self._push(ROOT, MANAGER, "JobRemoved", "uoss", *body)

    def _push(self, path: str, interface: str, member: str, signature: str, *body: Any) -> None:
        if self._subscribed and self._bus is not None:
            self._bus.send(Message.new_signal(path, interface, member, signature, list(body)))

    def _answer(self, asked: Message) -> Message | bool:
        if asked.message_type is not MessageType.METHOD_CALL:
            return False
        member = asked.member or ""
        self.asked.append(" ".join((member, *map(str, asked.body))))
        self._news.set()
        if member in self.mute:
            return True
        if member in self.refuses:
            raise DBusError(*self.refuses[member])
        signature, *body = getattr(self, f"_on_{member.lower()}")(asked, *asked.body)
        return Message.new_method_return(asked, signature, body)

    def _on_subscribe(self, _: Message) -> Answer:
        self._subscribed = True
        return ("",)

    def _on_getunit(self, _: Message, unit: str) -> Answer:
        if unit not in self.units:
            raise DBusError(f"{SYSTEMD}.NoSuchUnit", f"Unit {unit} not loaded.")
        return "o", path_of(unit)

    def _on_getall(self, asked: Message, interface: str) -> Answer:
        assert not interface, "sd-bus takes that for all interfaces"
        (unit,) = (unit for unit in self.units if path_of(unit) == asked.path)
        return "a{sv}", self.units[unit]

    def _on_get(self, asked: Message, interface: str, name: str) -> Answer:
        if interface == UNIT:
            (unit,) = (unit for unit in self.units if path_of(unit) == asked.path)
            return "v", self.units[unit][name]
        assert (interface, name) == (f"{SYSTEMD}.Job", "State")
        if asked.path not in {f"{ROOT}/job/{job}" for job in self._jobs}:
            raise DBusError(UNKNOWN_OBJECT, f"Unknown object '{asked.path}'.")
        return "v", Variant("s", "running")

    def _on_killunit(self, _: Message, unit: str, whom: str, signal: int) -> Answer:
        assert (unit in self.units, whom, type(signal)) == (True, "main", int)
        return ("",)

    def _on_reboot(self, asked: Message, interactive: bool) -> Answer:
        assert (asked.destination, interactive) == (LOGIN, False)
        return ("",)

    def _on_startunit(self, asked: Message, unit: str, mode: str) -> Answer:
        assert mode == "replace", "as systemctl does"
        if unit not in self.units:
            self.load(unit)
        self._count += 1
        job = self._count
        self._jobs[job] = (asked.member or "", unit)
        if self.ends and self.tells_first:
            self._end(job, self.ends)
        elif self.ends:
            asyncio.get_running_loop().call_soon(self._end, job, self.ends)
        return "o", f"{ROOT}/job/{job}"

    _on_restartunit = _on_stopunit = _on_startunit


def path_of(unit: str) -> str:
    """Return where systemd shows a unit, for the few characters that the tests use."""
    for sign in "-@.":
        unit = unit.replace(sign, f"_{ord(sign):x}")
    return f"{ROOT}/unit/{unit}"
