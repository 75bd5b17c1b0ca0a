"""The clock, over a private D-Bus daemon and a stand-in for systemd-timedated."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from agent.errors import StokerError
from agent.sources.timedate import KEPT, TIMEDATE, Timedate
from tests.agent.fakes import FakeClock
from tests.agent.systemd_standin import Daemon
from tests.sandbox import tools


class StandIn:
    """Answers for the property, as often as it is asked."""

    def __init__(self) -> None:
        self.synchronised = True
        self.asked: list[list[str]] = []
        self.bus: MessageBus | None = None

    async def appear(self, address: str) -> None:
        self.bus = await MessageBus(bus_address=address).connect()
        self.bus.add_message_handler(self._answer)
        await self.bus.request_name(TIMEDATE)

    def _answer(self, message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL or message.member != "Get":
            return None
        self.asked.append(message.body)
        return Message.new_method_return(message, "v", [Variant("b", self.synchronised)])


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    tools.ensure("dbus-daemon")
    made = Daemon(tmp_path)
    await made.start()
    yield made
    await made.kill()


@pytest.fixture
async def there(daemon: Daemon) -> AsyncIterator[StandIn]:
    made = StandIn()
    await made.appear(daemon.address)
    yield made
    assert made.bus is not None
    made.bus.disconnect()


async def test_it_is_asked_and_not_again_for_a_while(daemon: Daemon, there: StandIn) -> None:
    now = FakeClock()
    clock = Timedate(daemon.address, now)
    assert await clock.synchronised() is True
    there.synchronised = False
    now.now += KEPT - 1
    assert await clock.synchronised() is True
    assert there.asked == [[TIMEDATE, "NTPSynchronized"]]
    now.now += 1
    assert await clock.synchronised() is False
    assert len(there.asked) == 2
    await clock.close()


async def test_who_does_not_answer_is_an_error_and_is_asked_again(daemon: Daemon) -> None:
    clock = Timedate(daemon.address)
    with pytest.raises(StokerError):
        await clock.synchronised()
    there = StandIn()
    await there.appear(daemon.address)
    assert await clock.synchronised() is True
    await clock.close()
    assert there.bus is not None
    there.bus.disconnect()
