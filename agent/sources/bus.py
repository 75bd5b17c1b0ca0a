"""A D-Bus connection that comes back by itself. Of systemd it knows nothing."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Self

from dbus_fast import BusType, DBusFastError, Message, MessageFlag, MessageType
from dbus_fast.aio import MessageBus

from agent.errors import SourceError

log = logging.getLogger("stoker.bus")

DAEMON = "org.freedesktop.DBus"
LEAST_PAUSE, MOST_PAUSE = 0.1, 5.0  # seconds between attempts; doubles while they fail


class RefusedError(SourceError):
    """The other end answered, with an error; `name` is the error's name on the bus."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text or name)
        self.name = name


class Connection:
    """One connection, from its handshake to its loss."""

    def __init__(self, bus: MessageBus, heard: Callable[[Message], None]) -> None:
        self._bus, self._heard = bus, heard
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._ending = asyncio.create_task(self._watch_for_the_end())
        bus.add_message_handler(self._sort)

    @classmethod
    async def open(cls, address: str | None, heard: Callable[[Message], None]) -> Self:
        """Connect to the bus at `address` or the system's; its signals go to `heard`, in order."""
        bus = MessageBus(bus_address=address, bus_type=BusType.SYSTEM)
        await bus.connect()
        return cls(bus, heard)

    @property
    def lost(self) -> bool:
        """Say whether nothing can be asked any more."""
        return not self._bus.connected

    async def call(self, message: Message) -> Message:
        """Return the answer; `RefusedError` when it is an error, `SourceError` when none will come.

        The caller sets the deadline. (The library's own `call` would remember a question that was
        never answered for as long as the connection lives.)
        """
        message.serial = self._bus.next_serial()
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[message.serial] = answer
        try:
            await self._send(message)
            await asyncio.wait((answer, self._ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._answers[message.serial]
        if not answer.done():
            raise SourceError(f"D-Bus went away during {message.member}")
        reply = answer.result()
        if reply.message_type is MessageType.ERROR:
            raise RefusedError(reply.error_name or "", " ".join(map(str, reply.body)))
        return reply

    def follow(self, rule: str) -> None:
        """Have signals that match `rule` sent here: in force before any later call is answered."""
        message = Message(
            destination=DAEMON,
            path="/org/freedesktop/DBus",
            interface=DAEMON,
            member="AddMatch",
            signature="s",
            body=[rule],
            flags=MessageFlag.NO_REPLY_EXPECTED,
        )
        if not self.lost:
            self._bus.send(message)

    async def until_lost(self) -> None:
        """Wait for the end."""
        await asyncio.wait((self._ending,))

    def close(self) -> None:
        """Begin the end."""
        self._bus.disconnect()

    async def _send(self, message: Message) -> None:
        # Asked first: on a closed connection the library would let go of a descriptor whose number
        # may by now be somebody else's.
        if self.lost:
            raise SourceError("D-Bus went away")
        try:
            await self._bus.send(message)
        except OSError as error:
            raise SourceError(f"D-Bus went away: {error}") from error

    async def _watch_for_the_end(self) -> None:
        with contextlib.suppress(Exception):  # for what reason is of no use to anybody
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    def _sort(self, message: Message) -> None:
        if message.message_type is MessageType.SIGNAL:
            self._heard(message)
        elif (answer := self._answers.get(message.reply_serial)) and not answer.done():
            answer.set_result(message)


class Bus:
    """A connection made when it is first needed, and made again, with back-off, when lost.

    Each new one is shown to `greet` before anybody else gets it; `patience` is how many seconds
    both may take.
    """

    def __init__(
        self,
        address: str | None,
        greet: Callable[[Connection], Awaitable[None]],
        heard: Callable[[Message], None],
        patience: float,
    ) -> None:
        self._address, self._greet, self._heard = address, greet, heard
        self._patience = patience
        self._connection: Connection | None = None
        self._making = asyncio.Lock()
        self._pause = LEAST_PAUSE
        self._not_before = 0.0
        self._away = ""  # why the latest attempt failed

    @property
    def live(self) -> Connection | None:
        """Return the connection, if there is one now."""
        return None if self._connection is None or self._connection.lost else self._connection

    async def call(self, message: Message, deadline: float) -> Message:
        """Return the answer; `RefusedError` for one that is an error, `SourceError` for none."""
        try:
            async with asyncio.timeout(deadline):
                return await (await self._connected()).call(message)
        except TimeoutError:
            raise SourceError(f"{message.member}: no answer within {deadline:g} s") from None

    async def keep(self) -> None:
        """Stay connected, for the sake of what is pushed; ends only when cancelled."""
        while True:
            with contextlib.suppress(SourceError):
                await (await self._connected()).until_lost()
            await asyncio.sleep(self._not_before - asyncio.get_running_loop().time())

    def drop(self) -> None:
        """Give up the connection, if there is one; the next need makes a new one."""
        if connection := self.live:
            connection.close()

    async def close(self) -> None:
        """Give up the connection, and wait until its socket is closed."""
        self.drop()
        if self._connection is not None:
            await self._connection.until_lost()

    async def _connected(self) -> Connection:
        async with self._making:
            if connection := self.live:
                return connection
            now = asyncio.get_running_loop().time()
            if now < self._not_before:
                raise SourceError(self._away or "D-Bus went away: it is asked again in a moment")
            # What came long after the one before is a new trouble, not more of the same.
            fresh = now - self._not_before > MOST_PAUSE
            self._pause = LEAST_PAUSE if fresh else min(self._pause * 2, MOST_PAUSE)
            try:
                self._connection = await self._connect()
            except SourceError as error:
                self._tell(str(error))
                raise
            finally:
                self._not_before = asyncio.get_running_loop().time() + self._pause
            self._tell("")
            return self._connection

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._patience):
                connection = await Connection.open(self._address, self._heard)
                try:
                    await self._greet(connection)
                except BaseException:
                    connection.close()
                    raise
                return connection
        except TimeoutError:
            raise SourceError(f"D-Bus: no connection within {self._patience:g} s") from None
        except (OSError, EOFError, DBusFastError) as error:
            raise SourceError(f"D-Bus cannot be reached: {error}") from error

    def _tell(self, away: str) -> None:
        """Log the change, not the state."""
        if away and not self._away:
            log.warning("%s", away)
        if self._away and not away:
            log.info("D-Bus is back")
        self._away = away
