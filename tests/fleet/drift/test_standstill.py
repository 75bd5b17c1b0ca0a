"""Draining for a correction, over a real socket: as anybody would ask, and no person's drain."""

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.errors import ActionError
from agent.model import EngineState, Phase
from agent.paths import Paths
from agent.snapshot import Snapshot
from fleet.drift.standstill import Engines
from tests.agent.shown import snapshot
from tests.fleet.samples import spec

pytestmark = pytest.mark.slow  # real commands


class Agent(socketserver.ThreadingUnixStreamServer):
    """Obeys at once. No asyncio here: the tests of pyinfra have gevent in this process."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Handler)
        self.asked: list[tuple[str, str, bool]] = []
        self.refuses: set[tuple[str, str]] = set()
        self.shown = self.put(Phase.SERVING, "agent")

    def put(self, phase: Phase, by: str, *names: str) -> Snapshot:
        shown = snapshot(phase)
        engine = shown.engines["main"]
        state = msgspec.structs.replace(engine.state, by=by)
        known = dict.fromkeys(
            names or ["main"], msgspec.structs.replace(engine, state=state, served_name="org/model")
        )
        before = self.shown.engines if names else {}
        self.shown = msgspec.structs.replace(shown, engines={**before, **known})
        return self.shown

    def obey(self, verb: str, name: str, ask: dict[str, Any]) -> EngineState | None:
        """Return the engine's state; None = refused."""
        self.asked.append((verb, ask["by"], ask["slot"]))
        if (verb, name) in self.refuses:
            return None
        self.put(Phase.DRAINED if verb == "drain" else Phase.STARTING, ask["by"], name)
        return self.shown.engines[name].state


class Handler(BaseHTTPRequestHandler):
    server: Agent

    def do_GET(self) -> None:
        self._answer(self.server.shown)

    def do_POST(self) -> None:
        ask = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        state = self.server.obey(self.path.rpartition("/")[2], ask["engine"], ask)
        self._answer(state or {"error": "the state cannot be saved"}, 200 if state else 503)

    def address_string(self) -> str:
        return "a socket"

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: object, status: int = 200) -> None:
        content = msgspec.json.encode(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with Agent(Paths(run=tmp_path).socket) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


BRAKED = spec(agent_fleetlock_url="http://lock.example")


def test_what_serves_is_drained_with_a_slot_and_serves_again(agent: Agent, tmp_path: Path) -> None:
    engines = Engines(BRAKED, Paths(run=tmp_path))
    assert engines.begin() == ""
    engines.end()
    assert agent.asked == [("drain", "drift", True), ("undrain", "drift", False)]


def test_a_persons_drain_stays(agent: Agent, tmp_path: Path) -> None:
    agent.put(Phase.DRAINED, "ann")
    engines = Engines(BRAKED, Paths(run=tmp_path))
    assert engines.begin() == ""
    engines.end()
    assert agent.asked == []


def test_an_agent_that_cannot_be_asked_is_why_not(tmp_path: Path) -> None:
    assert "the agent does not answer" in Engines(BRAKED, Paths(run=tmp_path / "no")).begin()


@pytest.mark.parametrize("by", ["agent", "ann", "deploy:ann"])
def test_nobody_is_drained_while_another_finishes_what_is_in_flight(
    agent: Agent, tmp_path: Path, by: str
) -> None:
    agent.put(Phase.DRAINING, by, "other")
    said = Engines(BRAKED, Paths(run=tmp_path)).begin()
    assert (said, agent.asked) == ("engine other still finishes what is in flight", [])


def test_one_engine_that_stays_drained_leaves_no_other_drained(
    agent: Agent, tmp_path: Path
) -> None:
    agent.put(Phase.DRAINED, "drift", "main", "other", "third")
    agent.refuses = {("undrain", "main"), ("undrain", "third")}
    with pytest.raises(
        ActionError, match=r"engine main stays.*cannot be saved; engine third stays"
    ):
        Engines(BRAKED, Paths(run=tmp_path)).end()
    assert agent.shown.engines["other"].state.phase is Phase.STARTING


def test_what_was_drained_serves_again_when_another_cannot_be(agent: Agent, tmp_path: Path) -> None:
    agent.put(Phase.SERVING, "agent", "main", "other")
    agent.refuses = {("drain", "other"), ("undrain", "main")}
    said = Engines(BRAKED, Paths(run=tmp_path)).begin()
    assert said.count("cannot be saved") == 2
    assert "; engine main stays drained" in said
    agent.put(Phase.SERVING, "agent", "main")
    agent.refuses = {("drain", "other")}
    said = Engines(BRAKED, Paths(run=tmp_path)).begin()
    assert said.count("cannot be saved") == 1
    assert agent.shown.engines["main"].state.phase is Phase.STARTING


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        (Phase.SERVING, ""),
        (Phase.STARTING, "main-copy serves for main"),
        (Phase.DRAINED, "main-copy serves for main"),
    ],
)
def test_a_copy_that_is_all_that_serves_is_told(
    agent: Agent, tmp_path: Path, phase: Phase, said: str
) -> None:
    engines = Engines(BRAKED, Paths(run=tmp_path))
    agent.put(phase, "agent", "main")
    assert engines.copy() == ""
    agent.put(Phase.SERVING, "agent", "main-copy")
    assert engines.copy() == said
    agent.put(Phase.STARTING, "agent", "main-copy")
    assert engines.copy() == ""


def test_an_engine_of_another_model_is_no_copy(agent: Agent, tmp_path: Path) -> None:
    engines = Engines(spec(engine_served_name="other"), Paths(run=tmp_path))
    agent.put(Phase.STARTING, "agent", "main")
    agent.put(Phase.SERVING, "agent", "old")
    assert engines.copy() == ""
