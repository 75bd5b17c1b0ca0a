"""What the agent takes over its socket, and the command that people use, over a real socket."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio.to_thread
import msgspec
import pytest
from aiohttp import ClientSession, UnixConnector, web

from agent import api, control, ctl
from agent.audit import Audit
from agent.client import Agent, RefusedError, UnreachableError
from agent.errors import ActionError, NoSlotError
from agent.model import EngineState, Phase, Requested, Verb
from agent.reports import Exit, ExitClass
from agent.slots import Slots
from agent.snapshot import Published, Snapshot
from agent.spec import CheckSpec
from agent.why import Explanation
from tests.agent.node import SPEC
from tests.agent.shown import sick, snapshot


class FakeLoop:
    """Takes requests; `leads_to` says where they lead, one snapshot a look, the last for ever."""

    def __init__(self, published: Published) -> None:
        self.published = published
        self.asked: list[Requested] = []
        self.closed: list[tuple[str, str, str]] = []
        self.freed: list[tuple[str, str]] = []
        self.leads_to = [snapshot()]
        self.fails = False
        self.no_slot = 0  # so many times

    def request(self, name: str, asked: Requested) -> EngineState:
        if self.fails:
            raise ActionError("not done: the state cannot be saved")
        if asked.slot and self.no_slot:
            self.no_slot -= 1
            raise NoSlotError("engine main: no slot of the fleet brake yet: all are taken")
        self.asked.append(asked)
        self.advance()
        assert self.published.latest is not None
        return self.published.latest.engines[name].state

    def acknowledge(self, incident: str, by: str, reason: str) -> None:
        latest = self.published.latest
        if latest is None or all(one.id != incident for one in latest.incidents):
            raise ActionError(f"no open incident {incident!r}; `stokerctl status` lists them")
        self.closed.append((incident, by, reason))

    def free(self, by: str, reason: str) -> None:
        self.freed.append((by, reason))

    def advance(self, _seconds: float = 0.0) -> None:
        """Also the pause between two looks of `ctl --wait`."""
        self.published.latest = self.leads_to[0]
        self.leads_to = self.leads_to[1:] or self.leads_to


Command = Callable[..., Awaitable[int]]


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[FakeLoop]:
    published = Published()
    published.latest = snapshot()
    made = FakeLoop(published)
    reads = api.Reads(published, 1.0)
    runner = web.AppRunner(control.application(reads, made, frozenset({"main"})))
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "s")).start()
    yield made
    await runner.cleanup()


@pytest.fixture
def command(tmp_path: Path, loop: FakeLoop) -> Command:
    """Run one `stokerctl`; between two looks of a wait no time passes."""

    async def run(*arguments: str) -> int:
        full = ["--socket", str(tmp_path / "s"), *arguments]
        return await anyio.to_thread.run_sync(ctl.main, full, loop.advance)

    return run


ASK = ("--reason", "fan", "--by", "alice")


@pytest.mark.parametrize("verb", list(Verb))
async def test_asks_with_actor_and_reason(
    verb: Verb, command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command(verb, "main", *ASK) == 0
    assert loop.asked == [Requested(verb=verb, by="alice", reason="fan")]
    assert capsys.readouterr().out == "main: SERVING Test: a test\n"


async def test_without_a_name_all_engines_are_asked(command: Command, loop: FakeLoop) -> None:
    assert await command("drain", *ASK) == 0
    assert len(loop.asked) == 1


async def test_unknown_engine(
    command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("drain", "nope", *ASK) == 1
    assert capsys.readouterr().err == "stokerctl: no engine 'nope' here; there are: main\n"
    assert loop.asked == []


async def test_a_reason_is_obligatory(command: Command, loop: FakeLoop) -> None:
    with pytest.raises(SystemExit) as caught:
        await command("drain", "main")
    assert caught.value.code == 2
    assert await command("drain", "main", "--by", "alice", "--reason", "") == 1
    assert loop.asked == []


async def test_nobody_asks_in_the_agents_name(command: Command, loop: FakeLoop) -> None:
    assert await command("drain", "main", "--by", "agent", "--reason", "x") == 1
    assert loop.asked == []


async def test_what_the_agent_cannot_do_is_told(
    command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.fails = True
    assert await command("restart", "main", *ASK) == 1
    assert capsys.readouterr().err == "stokerctl: not done: the state cannot be saved\n"


# -- incidents -------------------------------------------------------------------------------------


async def test_ack(command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]) -> None:
    loop.published.show(sick())
    assert await command("ack", "i-1", *ASK) == 0
    assert loop.closed == [("i-1", "alice", "fan")]
    assert capsys.readouterr().out == "i-1: closed by alice: fan\n"
    assert await command("ack", "i-1", *ASK, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"incident": "i-1", "by": "alice", "reason": "fan"}


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("i-2", 409, "incident 'i-2' is closed already (engine-proven)"),
        (
            "i-9",
            404,
            "no open incident 'i-9'; `stokerctl status` lists them (open: i-1, i-3, i-4)",
        ),
    ],
)
async def test_an_incident_that_is_not_open(
    command: Command,
    loop: FakeLoop,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    status: int,
    words: str,
) -> None:
    loop.published.show(sick())
    assert await command("ack", name, *ASK) == 1
    assert capsys.readouterr().err == f"stokerctl: {words}\n"
    body = {"incident": name, "by": "alice", "reason": "fan"}
    async with (
        ClientSession(connector=UnixConnector(str(tmp_path / "s"))) as session,
        session.post("http://agent/v1/ack", json=body) as answer,
    ):
        assert answer.status == status
    assert loop.closed == []


async def test_nobody_acknowledges_without_a_name_and_a_reason(
    command: Command, loop: FakeLoop
) -> None:
    loop.published.show(sick())
    with pytest.raises(SystemExit) as caught:
        await command("ack", "i-1")
    assert caught.value.code == 2
    assert await command("ack", "i-1", "--by", "agent", "--reason", "x") == 1
    assert await command("ack", "i-1", "--by", "alice", "--reason", "") == 1
    assert loop.closed == []


# -- waiting ---------------------------------------------------------------------------------------


def engine(phase: Phase, **facts: object) -> Snapshot:
    """A snapshot whose engine `main` has these facts."""
    made = snapshot(phase)
    return msgspec.structs.replace(
        made, engines={"main": msgspec.structs.replace(made.engines["main"], **facts)}
    )


async def test_wait_for_a_drain(command: Command, loop: FakeLoop) -> None:
    loop.leads_to = [snapshot(Phase.DRAINING), snapshot(Phase.DRAINING), snapshot(Phase.DRAINED)]
    assert await command("drain", "main", *ASK, "--wait", "60") == 0
    assert loop.leads_to[0].phase is Phase.DRAINED


@pytest.mark.parametrize(
    "not_yet",
    [
        engine(Phase.STARTING),
        engine(Phase.SERVING, running_since=8.0),  # what ran before
        engine(Phase.SERVING, running_since=None, running_digest=None),
        engine(Phase.SERVING, running_digest="older"),
        engine(Phase.SERVING, answering=False),
        engine(Phase.SERVING, answering=None),
    ],
)
async def test_wait_for_a_fresh_start(not_yet: Snapshot, command: Command, loop: FakeLoop) -> None:
    loop.leads_to = [snapshot(Phase.DRAINING), not_yet, engine(Phase.SERVING)]
    assert await command("restart", "main", *ASK, "--wait", "60") == 0
    assert len(loop.leads_to) == 1
    loop.leads_to = [not_yet]
    assert await command("restart", "main", *ASK, "--wait", "0.05") == 3


async def test_a_restart_tells_for_how_long_its_gate_was_shut(
    command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    served = engine(Phase.SERVING)
    state = msgspec.structs.replace(served.engines["main"].state, gap=14.24)
    loop.leads_to = [engine(Phase.SERVING, state=state)]
    assert await command("restart", "main", *ASK, "--wait", "60") == 0
    assert "(its gate was shut for 14.2 s)" in capsys.readouterr().out
    assert await command("restart", "main", *ASK) == 0  # nobody has waited: it is of another time
    assert "its gate was shut" not in capsys.readouterr().out


async def test_wait_for_the_restart_of_a_drained_engine(command: Command, loop: FakeLoop) -> None:
    loop.leads_to = [engine(Phase.DRAINED, running_since=8.0), engine(Phase.DRAINED)]
    assert await command("restart", "main", *ASK, "--wait", "60") == 0
    assert len(loop.leads_to) == 1


async def test_a_wait_that_ends_in_quarantine_tells_the_last_lines(
    command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = Exit(
        engine="main",
        digest="d",
        kind=ExitClass.CONFIG,
        reason="UnknownFlag",
        message="no such flag",
        code=2,
        lines=("usage: …", "error: --nope"),
        started=1.0,
        ended=2.0,
    )
    loop.leads_to = [engine(Phase.QUARANTINED, running=False, last_exit=ended)]
    assert await command("restart", "main", *ASK, "--wait", "60") == 3
    told = capsys.readouterr().err
    assert "it ended with code 2: no such flag" in told
    assert "  | error: --nope" in told


async def test_wait_outlives_a_restart_of_the_agent(
    tmp_path: Path, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    path, aside = tmp_path / "s", tmp_path / "aside"
    loop.leads_to = [snapshot(Phase.DRAINING), snapshot(Phase.DRAINED)]
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            path.rename(aside)  # the agent is away for one look
        if len(pauses) == 2:
            aside.rename(path)
            loop.advance()

    arguments = ["--socket", str(path), "drain", "main", *ASK, "--wait", "60"]
    assert await anyio.to_thread.run_sync(ctl.main, arguments, pause) == 0
    assert "the agent does not answer" in capsys.readouterr().err


# -- looking ---------------------------------------------------------------------------------------


async def test_status(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert await command("status") == 0
    text = capsys.readouterr().out
    assert text.startswith("gpu-1: SERVING")
    assert max(map(len, text.splitlines())) <= 100


async def test_status_as_json(
    command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("status", "--json") == 0
    shown = msgspec.json.decode(capsys.readouterr().out, type=Snapshot)
    assert shown == loop.published.latest


async def test_the_state_as_json(
    command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("drain", "main", *ASK, "--json") == 0
    assert json.loads(capsys.readouterr().out)["phase"] == "SERVING"


def test_an_agent_that_is_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["--socket", str(tmp_path / "s"), "status"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("stokerctl: the agent does not answer on ")
    assert told.endswith("see: systemctl status stoker-agent\n")


async def test_before_the_first_tick(tmp_path: Path, loop: FakeLoop) -> None:
    loop.published.latest = None
    agent = Agent(str(tmp_path / "s"))
    with pytest.raises(RefusedError, match="no tick has ended yet"):
        await anyio.to_thread.run_sync(agent.status)


async def test_an_agent_of_another_version(tmp_path: Path) -> None:
    async def old(_: web.Request) -> web.Response:
        return web.json_response({"node": 1})

    app = web.Application()
    app.router.add_get("/v1/status", old)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "s")).start()
    with pytest.raises(UnreachableError, match="it may run an older version"):
        await anyio.to_thread.run_sync(Agent(str(tmp_path / "s")).status)
    await runner.cleanup()


async def test_why(
    command: Command, loop: FakeLoop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.published.show(sick())
    log = tmp_path / "audit.jsonl"
    Audit(log).write("request", engine="main", verb="drain", by="alice", reason="fan")
    assert await command("why", "main", "--audit", str(log)) == 0
    text = capsys.readouterr().out
    assert text.startswith("main: QUARANTINED for ")
    assert "alice  asks to drain: fan" in text
    assert await command("why", "--audit", str(log), "--json") == 0
    (told,) = msgspec.json.decode(capsys.readouterr().out, type=list[Explanation])
    assert [one.by for one in told.decisions] == ["alice"]
    assert await command("why", "nope") == 1
    assert capsys.readouterr().err == "stokerctl: no engine 'nope' here; there are: main\n"


async def test_why_without_an_audit_log_that_can_be_read(
    command: Command, loop: FakeLoop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("why", "--audit", str(tmp_path / "none" / "audit.jsonl")) == 0
    assert capsys.readouterr().err == ""
    assert await command("why", "--audit", str(tmp_path)) == 0
    told = capsys.readouterr()
    assert told.err == (
        f"stokerctl: {tmp_path}: Is a directory; try with sudo to see the decisions too\n"
    )
    assert told.out.startswith("main: SERVING")


LINE = "[  300.000000] NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.\n"


def simulated(tmp_path: Path, *options: str, spec: bytes | None = None) -> int:
    """Run `stokerctl simulate` on a log of one fault, on a node with this spec."""
    log, path = tmp_path / "dmesg", tmp_path / "host.json"
    log.write_text(LINE)
    if spec is not None:
        path.write_bytes(spec)
    return ctl.main(["simulate", str(log), "--spec", str(path), *options])


def test_simulate_needs_no_agent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulated(tmp_path) == 3
    assert "would have drained GPU 00000000:3b:00" in capsys.readouterr().out
    assert simulated(tmp_path, "--json") == 3
    assert [step["act"] for step in json.loads(capsys.readouterr().out)] == ["drain", "remedy"]
    assert ctl.main(["simulate", str(tmp_path / "nope")]) == 1


def test_simulate_by_the_rules_of_this_node(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = msgspec.structs.replace(SPEC, check=CheckSpec(xid={"79": "ignore"}))
    assert simulated(tmp_path, spec=own.dump()) == 0
    assert simulated(tmp_path, spec=SPEC.dump()) == 3
    capsys.readouterr()
    assert simulated(tmp_path, spec=b"{}") == 1
    assert capsys.readouterr().err.startswith(f"stokerctl: {tmp_path / 'host.json'}: ")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"engine": "main", "by": "a", "reason": "r"}', 202),
        ('{"engine": "nope", "by": "a", "reason": "r"}', 404),
        ('{"engine": "main", "by": "", "reason": "r"}', 400),
        ('{"engine": "main", "by": "a"}', 400),
        ('{"engine": "main", "by": "a", "reason": "r", "force": true}', 400),
        (b'{"engine": "main", "by": "a\xff", "reason": "r"}', 400),
        ("{", 400),
        ("", 400),
    ],
)
async def test_the_socket_takes_only_whole_requests(
    tmp_path: Path, loop: FakeLoop, body: str | bytes, status: int
) -> None:
    async with (
        ClientSession(connector=UnixConnector(str(tmp_path / "s"))) as session,
        session.post("http://agent/v1/drain", data=body) as answer,
    ):
        assert answer.status == status
        assert ("error" in await answer.json()) is (status != 202)
    assert len(loop.asked) == (status == 202)


async def test_who_wants_a_slot_asks_until_there_is_one(
    command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.no_slot = 3
    assert await command("drain", "main", *ASK, "--slot", "60") == 0
    assert loop.asked == [Requested(verb=Verb.DRAIN, by="alice", reason="fan", slot=True)]
    assert capsys.readouterr().err == (
        "engine main: no slot of the fleet brake yet: all are taken\n"  # told once
    )


async def test_without_a_slot_in_time_nothing_is_asked(
    command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.no_slot = 10**6
    assert await command("restart", "main", *ASK, "--slot", "0.05", "--wait", "60") == 3
    assert loop.asked == []
    assert "no slot within 0 s: main was not touched" in capsys.readouterr().err


async def test_the_slot_is_shown(
    command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("brake") == 0
    assert "there is no FleetLock server (agent_fleetlock_url)" in capsys.readouterr().out
    held = Slots(name="node-1.ab", since=1.0, got=("stoker.m",), out=("main",))
    loop.leads_to = [msgspec.structs.replace(snapshot(), slots=held)]
    loop.advance()
    assert await command("brake") == 0
    out = capsys.readouterr().out
    assert "node-1.ab for " in out
    assert "in: stoker.m" in out
    assert "taken out, not back yet: main" in out
    assert await command("brake", "--json") == 0
    assert msgspec.json.decode(capsys.readouterr().out, type=Slots) == held


async def test_a_person_frees_the_slot_with_a_reason(
    command: Command, loop: FakeLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("brake", "--free") == 2
    assert "needs a --reason" in capsys.readouterr().err
    assert await command("brake", "--free", *ASK) == 0
    assert loop.freed == [("alice", "fan")]
