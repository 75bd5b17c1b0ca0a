"""systemd over a real D-Bus daemon, with a stand-in for systemd at its other end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus

from agent.errors import ActionError, SourceError
from agent.sources.bus import Connection
from agent.sources.unit import Units, UnitState
from agent.sources.units import Systemd
from tests.agent.systemd_standin import (
    FAILED,
    MANAGER,
    PROPERTIES,
    ROOT,
    RUNS,
    STOPPED,
    SYSTEMD,
    UNIT,
    Daemon,
    StandIn,
    path_of,
)
from tests.sandbox import tools

ENGINE = "stoker-engine@main.service"
OTHER = "stoker-engine@other.service"
PATIENCE = 0.5  # seconds; little enough to wait out
NO_UNIT = (f"{SYSTEMD}.NoSuchUnit", "Unit nix.service not found.")
ASK_ME = (
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
    "Interactive authentication required.",
)
DENIED = ("org.freedesktop.DBus.Error.AccessDenied", "Access denied")


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    tools.ensure("dbus-daemon")
    made = Daemon(tmp_path)
    await made.start()
    yield made
    await made.kill()


@pytest.fixture
async def systemd(daemon: Daemon) -> AsyncIterator[StandIn]:
    made = await StandIn().appear(daemon.address)
    made.load(ENGINE)
    yield made
    await made.vanish()


@pytest.fixture
async def units(daemon: Daemon) -> AsyncIterator[Systemd]:
    made = Systemd(daemon.address)
    yield made
    await made.close()


@pytest.fixture
async def hasty(daemon: Daemon) -> AsyncIterator[Systemd]:
    made = Systemd(daemon.address, patience=PATIENCE)
    yield made
    await made.close()


class Changes:
    """What `watch` told."""

    def __init__(self, units: Units, *watched: str) -> None:
        self._told: asyncio.Queue[str] = asyncio.Queue()
        units.watch(watched, self._told.put_nowait)

    async def next(self) -> str:
        return await asyncio.wait_for(self._told.get(), 10.0)

    async def settled(self, units: Units) -> None:
        """Forget all that was told until now: pushes come before the answer to a later question."""
        await units.state(ENGINE)
        while not self._told.empty():
            self._told.get_nowait()

    async def none(self, units: Units) -> bool:
        await units.state(ENGINE)
        return self._told.empty()


async def away(units: Units) -> None:
    """Return when the loss of the bus is noticed."""
    with contextlib.suppress(SourceError):
        while await asyncio.wait_for(units.state(ENGINE), 10.0):
            pass


async def back(units: Units) -> UnitState:
    """Return what is seen when there is something to see again."""
    async with asyncio.timeout(20.0):
        while True:
            with contextlib.suppress(SourceError):
                return await units.state(ENGINE)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("state", "running"),
    [
        ("active", True),
        ("activating", True),
        ("reloading", True),
        ("deactivating", True),  # its process may still be there
        ("inactive", False),
        ("failed", False),
    ],
)
async def test_running(systemd: StandIn, units: Systemd, state: str, running: bool) -> None:
    systemd.become(ENGINE, STOPPED | {"ActiveState": Variant("s", state)})
    assert await units.running(ENGINE) is running


async def test_all_that_is_seen_of_a_unit(systemd: StandIn, units: Systemd) -> None:
    systemd.become(ENGINE, RUNS)
    assert await units.state(ENGINE) == UnitState(active="active", sub="running", main_pid=4711)
    systemd.become(ENGINE, FAILED)
    assert await units.state(ENGINE) == UnitState(
        active="failed",
        sub="failed",
        result="exit-code",
        exec_main_code=1,
        exec_main_status=3,
        main_pid=None,
    )


async def test_a_unit_that_is_not_loaded_does_not_run_and_is_not_loaded_by_the_look(
    systemd: StandIn, units: Systemd
) -> None:
    assert await units.state(OTHER) == UnitState(active="inactive", sub="dead")
    assert systemd.asked == ["Subscribe", f"GetUnit {OTHER}"]


async def test_whether_any_unit_is_active(systemd: StandIn, units: Systemd) -> None:
    systemd.load("some.mount")
    systemd.become("some.mount", {name: RUNS[name] for name in ("ActiveState", "SubState")})
    assert await units.active("some.mount") == "active"
    assert not await units.active("none.mount")  # not loaded
    systemd.refuses["GetUnit"] = DENIED
    with pytest.raises(SourceError, match="Access denied"):
        await units.active("some.mount")


async def test_a_unit_that_is_no_service_cannot_be_judged(systemd: StandIn, units: Systemd) -> None:
    systemd.become(ENGINE, {name: RUNS[name] for name in ("ActiveState", "SubState")})
    with pytest.raises(SourceError, match="does not tell Result"):
        await units.state(ENGINE)


@pytest.mark.parametrize("member", ["GetUnit", "GetAll"])
async def test_a_silent_systemd_is_a_source_that_cannot_be_read(
    systemd: StandIn, hasty: Systemd, member: str
) -> None:
    systemd.mute.add(member)
    with pytest.raises(SourceError, match=f"{member}: no answer within {PATIENCE} s"):
        await hasty.state(ENGINE)
    systemd.mute.clear()  # and it is no worse for that afterwards
    assert not await hasty.running(ENGINE)


async def test_a_bus_without_systemd(daemon: Daemon, units: Systemd) -> None:
    with pytest.raises(SourceError, match=SYSTEMD):
        await units.running(ENGINE)
    with pytest.raises(ActionError, match=f"stop {ENGINE}: .*{SYSTEMD}"):
        await units.stop(ENGINE, 1.0)
    with contextlib.suppress(ActionError):
        await asyncio.sleep(0.2)
        await units.stop(ENGINE, 1.0)
    # What could not be used was not left open.
    bus = await MessageBus(bus_address=daemon.address).connect()
    names = await bus.call(Message("org.freedesktop.DBus", ROOT, None, "ListNames"))
    assert [name for name in names.body[0] if name.startswith(":")] == [bus.unique_name]
    bus.disconnect()


async def test_no_bus_at_all(tmp_path: Path) -> None:
    units = Systemd(f"unix:path={tmp_path}/none")
    with pytest.raises(SourceError, match=r"D-Bus cannot be reached: .*No such file"):
        await units.running(ENGINE)
    with pytest.raises(ActionError, match=f"restart {ENGINE}: D-Bus cannot be reached"):
        await units.restart(ENGINE, 1.0)


async def test_a_bus_that_accepts_and_is_silent(tmp_path: Path) -> None:
    held: list[asyncio.StreamWriter] = []
    path = tmp_path / "bus"
    server = await asyncio.start_unix_server(lambda _, writer: held.append(writer), path)
    units = Systemd(f"unix:path={path}", patience=PATIENCE)
    with pytest.raises(SourceError, match="within"):
        await units.running(ENGINE)
    units.watch([ENGINE], print)
    await asyncio.sleep(3 * PATIENCE)
    assert len(held) >= 3  # and a connection is not waited for for ever
    await units.close()
    server.close()
    for writer in held:
        writer.close()


async def test_a_question_does_not_outlive_the_bus(daemon: Daemon, systemd: StandIn) -> None:
    systemd.mute.add("GetUnit")
    units = Systemd(daemon.address, patience=300.0)
    asking = asyncio.create_task(units.state(ENGINE))
    await systemd.hears("GetUnit")
    await daemon.kill()
    with pytest.raises(SourceError, match="D-Bus went away during GetUnit"):
        await asyncio.wait_for(asking, 5.0)
    await units.close()


async def test_a_lost_connection_does_not_harm_the_next(daemon: Daemon) -> None:
    first = await Connection.open(daemon.address, print)
    first.close()
    await first.until_lost()
    assert first.lost
    second = await Connection.open(daemon.address, print)  # the same descriptor, most likely
    question = Message("org.freedesktop.DBus", ROOT, None, "ListNames")
    first.follow("type='signal'")
    with pytest.raises(SourceError, match="D-Bus went away"):
        await first.call(question)
    assert (await asyncio.wait_for(second.call(question), 5.0)).body
    second.close()
    await second.until_lost()


@pytest.mark.parametrize("tells_first", [False, True])
@pytest.mark.parametrize(("act", "running"), [("start", True), ("restart", True), ("stop", False)])
async def test_acts_last_as_long_as_their_jobs(
    systemd: StandIn, units: Systemd, act: str, running: bool, tells_first: bool
) -> None:
    systemd.tells_first = tells_first
    systemd.become(ENGINE, STOPPED if running else RUNS)
    await getattr(units, act)(ENGINE, 5.0)
    assert await units.running(ENGINE) is running
    assert f"{act.capitalize()}Unit {ENGINE} replace" in systemd.asked


async def test_an_act_waits_for_its_own_job(systemd: StandIn, hasty: Systemd) -> None:
    systemd.ends = ""
    acting = asyncio.create_task(hasty.restart(ENGINE, 5.0))
    await systemd.hears("Get ")  # it has lost patience once
    systemd.ends = "done"
    await hasty.restart(OTHER, 5.0)
    assert not acting.done()
    systemd.end()
    await acting


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("failed", r"the unit failed; it is failed \(failed, exit-code\)"),
        ("timeout", "it took longer than the unit allows"),
        ("canceled", "another job took its place"),
        ("dependency", "a unit that it needs failed"),
        ("collected", "systemd gave the job up"),
    ],
)
async def test_a_job_that_fails_says_why(
    systemd: StandIn, units: Systemd, result: str, words: str
) -> None:
    systemd.ends = result
    with pytest.raises(ActionError, match=f"restart {ENGINE}: {result}: {words}"):
        await units.restart(ENGINE, 5.0)


async def test_a_job_with_nothing_to_do_is_done(systemd: StandIn, units: Systemd) -> None:
    systemd.ends = "skipped"
    await units.start(ENGINE, 5.0)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (NO_UNIT, "Unit nix.service not found."),
        (ASK_ME, r"polkit does not allow it \(Interactive authentication required.\); see /etc/"),
        (DENIED, r"polkit does not allow it \(Access denied\); see /etc/polkit-1/"),
    ],
)
async def test_an_act_that_is_refused_says_why(
    systemd: StandIn, units: Systemd, refusal: tuple[str, str], words: str
) -> None:
    systemd.refuses = dict.fromkeys(("StopUnit", "KillUnit", "Reboot"), refusal)
    with pytest.raises(ActionError, match=f"stop {ENGINE}: {words}"):
        await units.stop(ENGINE, 5.0)
    with pytest.raises(ActionError, match=f"kill {ENGINE}: {words}"):
        await units.kill(ENGINE, 9)
    with pytest.raises(ActionError, match=f"reboot: {words}"):
        await units.reboot()


async def test_an_act_that_never_ends_is_given_up(systemd: StandIn, hasty: Systemd) -> None:
    systemd.ends = ""
    with pytest.raises(ActionError, match=f"stop {ENGINE}: not done within 1.5 s"):
        await hasty.stop(ENGINE, 1.5)
    assert "Get org.freedesktop.systemd1.Job State" in systemd.asked  # it was not idle meanwhile


async def test_an_act_that_is_never_answered_is_given_up(systemd: StandIn, units: Systemd) -> None:
    systemd.mute.add("StopUnit")
    with pytest.raises(ActionError, match=f"stop {ENGINE}: .*within 0.5 s"):
        await units.stop(ENGINE, 0.5)


async def test_an_act_may_take_longer_than_a_look(systemd: StandIn, hasty: Systemd) -> None:
    systemd.ends = ""
    acting = asyncio.create_task(hasty.restart(ENGINE, 10.0))
    await asyncio.sleep(2 * PATIENCE)
    assert not acting.done()
    systemd.end()
    await acting


@pytest.mark.parametrize("act", ["restart", "stop"])
async def test_an_end_that_was_not_told_is_found(
    systemd: StandIn, hasty: Systemd, act: str
) -> None:
    systemd.tells = False
    await getattr(hasty, act)(ENGINE, 5.0)


async def test_a_bad_end_that_was_not_told_is_found(systemd: StandIn, hasty: Systemd) -> None:
    systemd.tells, systemd.ends = False, "failed"
    with pytest.raises(ActionError, match=r"unseen: .*; it is failed \(failed, exit-code\)"):
        await hasty.restart(ENGINE, 5.0)


async def test_kill_and_reboot(systemd: StandIn, units: Systemd) -> None:
    await units.kill(ENGINE, 9)
    await units.reboot()
    assert systemd.asked == ["Subscribe", f"KillUnit {ENGINE} main 9", "Reboot False"]


async def test_an_exit_is_pushed(systemd: StandIn, units: Systemd) -> None:
    systemd.load(OTHER)
    changes = Changes(units, ENGINE)
    assert await changes.next() == ENGINE  # as soon as it watches: see what is there
    await changes.settled(units)
    asked = len(systemd.asked)
    systemd.become(OTHER, FAILED)  # nobody asked for that one
    systemd.become(ENGINE, FAILED)
    assert await changes.next() == ENGINE
    assert len(systemd.asked) == asked
    assert (await units.state(ENGINE)).active == "failed"
    assert await changes.none(units)


async def test_what_is_no_change_of_state_is_not_told(systemd: StandIn, units: Systemd) -> None:
    changes = Changes(units, ENGINE)
    await changes.next()
    systemd.become(ENGINE, RUNS)
    await changes.settled(units)
    systemd.become(ENGINE, RUNS)
    systemd.become(ENGINE, RUNS | {"MainPID": Variant("u", 1)})
    assert await changes.none(units)
    systemd.become(ENGINE, RUNS | {"SubState": Variant("s", "start")})
    assert await changes.next() == ENGINE


async def test_a_unit_that_is_loaded_later_is_followed(systemd: StandIn, units: Systemd) -> None:
    changes = Changes(units, OTHER)
    await changes.next()
    await changes.settled(units)
    systemd.load(OTHER)
    assert await changes.next() == OTHER
    systemd.become(OTHER, RUNS)
    assert await changes.next() == OTHER


async def test_more_can_be_watched_later(systemd: StandIn, units: Systemd) -> None:
    first = Changes(units, ENGINE)
    await first.next()
    await first.settled(units)
    second = Changes(units, OTHER)
    await units.state(ENGINE)
    systemd.load(OTHER)
    assert await second.next() == OTHER
    systemd.become(ENGINE, RUNS)
    assert await first.next() == ENGINE


async def test_reloads_are_counted(systemd: StandIn, units: Systemd) -> None:
    await units.state(ENGINE)
    assert units.reloads == 0
    systemd.reload()
    systemd.reload()
    await units.state(ENGINE)
    assert units.reloads == 2


async def test_a_bus_that_is_killed_and_comes_back(
    daemon: Daemon, systemd: StandIn, units: Systemd
) -> None:
    systemd.load(OTHER)
    systemd.become(ENGINE, RUNS)
    changes = Changes(units, ENGINE, OTHER)
    await changes.next()
    await changes.settled(units)

    await daemon.kill()
    await away(units)
    with pytest.raises(SourceError):  # and not "does not run"
        await units.running(ENGINE)
    with pytest.raises(ActionError):
        await units.stop(ENGINE, 1.0)

    await systemd.vanish()
    await daemon.start()
    await systemd.appear(daemon.address)
    # Nobody asks, and yet all that is watched is told of, once, and is followed again.
    assert {await changes.next(), await changes.next()} == {ENGINE, OTHER}
    assert await changes.none(units)
    assert await units.running(ENGINE)
    assert units.reloads == 1  # there may have been one
    systemd.become(ENGINE, FAILED)
    assert await changes.next() == ENGINE


async def test_a_systemd_that_begins_anew_on_the_same_bus(
    daemon: Daemon, systemd: StandIn, units: Systemd
) -> None:
    changes = Changes(units, ENGINE)
    await changes.next()
    await changes.settled(units)
    await systemd.vanish()
    await away(units)
    await systemd.appear(daemon.address)
    assert await changes.next() == ENGINE
    systemd.become(ENGINE, RUNS)
    assert await changes.next() == ENGINE


@pytest.mark.parametrize("heard", [False, True])
async def test_an_act_outlives_the_bus(
    daemon: Daemon, systemd: StandIn, hasty: Systemd, heard: bool
) -> None:
    systemd.ends = ""
    acting = asyncio.create_task(hasty.restart(ENGINE, 20.0))
    await systemd.hears("Get ")
    await daemon.kill()
    await systemd.vanish()
    if not heard:
        systemd.end()
    await asyncio.sleep(2 * PATIENCE)  # it cannot look, and takes that for no answer
    assert not acting.done()
    await daemon.start()
    await systemd.appear(daemon.address)
    if heard:
        await back(hasty)
        systemd.end()
    await acting
    assert (await back(hasty)).running
    assert systemd.asked.count(f"RestartUnit {ENGINE} replace") == 1


async def test_attempts_become_rarer(tmp_path: Path) -> None:
    attempts = 0

    def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        writer.close()

    server = await asyncio.start_unix_server(refuse, tmp_path / "bus")
    units = Systemd(f"unix:path={tmp_path}/bus")
    units.watch([ENGINE], print)
    for _ in range(75):
        with pytest.raises(SourceError):
            await units.running(ENGINE)
        await asyncio.sleep(0.02)
    assert 2 <= attempts <= 5  # at 0, 0.1, 0.3, 0.7, 1.5 s
    await units.close()
    server.close()


async def test_others_are_not_believed(daemon: Daemon, systemd: StandIn, units: Systemd) -> None:
    systemd.ends = ""
    changes = Changes(units, ENGINE)
    await changes.next()
    acting = asyncio.create_task(units.restart(ENGINE, 1.0))
    await systemd.hears("RestartUnit")
    await changes.settled(units)
    liar = await MessageBus(bus_address=daemon.address).connect()
    body = [UNIT, {"ActiveState": Variant("s", "failed")}, []]
    for signal in (
        Message.new_signal(ROOT, MANAGER, "JobRemoved", "uoss", [1, f"{ROOT}/job/1", "", "done"]),
        Message.new_signal(path_of(ENGINE), PROPERTIES, "PropertiesChanged", "sa{sv}as", body),
    ):
        for connection in range(1, 9):  # whichever is ours
            signal.destination = f":1.{connection}"
            signal.serial = 0
            await liar.send(signal)
    with pytest.raises(ActionError, match="not done within"):
        await acting
    assert await changes.none(units)
    liar.disconnect()
