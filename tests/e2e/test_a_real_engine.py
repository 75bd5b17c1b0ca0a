"""A real engine that dies, freezes and is told to stop, in its own ways: vLLM's CPU build.

With SmolLM2-135M-Instruct. It is no GPU's engine, but the same server, engine core, worker,
metrics and endings. One host, by itself, in a fleet of its own.
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from agent.engines import ENGINES
from tests.e2e.real import (
    AT_ONCE,
    DRAIN,
    ESSAY,
    HANG_AFTER,
    MEMORY_GIB,
    START,
    RealNode,
    memory_free,
    real_node,
)
from tests.e2e.world import wait_for
from tests.sandbox.progress import say

pytestmark = pytest.mark.timeout(2400)  # the first test builds what is missing: image and model

SHORT = 2  # seconds that a stream takes, or a few times that: others work here too
LONG = 1900  # tokens: as many as there is room for; two cores make 5 to 20 a second
STOP = DRAIN + 20  # seconds from SIGTERM to SIGKILL
TOLD = 2 * HANG_AFTER + 2  # seconds of patience with an engine that does not work on what it has
VLLM = ENGINES["vllm"]
Tell = Callable[[str], None]


@pytest.fixture(scope="module")
def capture(pytestconfig: pytest.Config) -> Any:
    """Pytest's own capture, to be suspended for those who wait."""
    return pytestconfig.pluginmanager.getplugin("capturemanager")


@pytest.fixture(scope="module")
def tell(capture: Any) -> Tell:
    """Says a line to those who wait."""

    def aloud(line: str) -> None:
        with capture.global_and_fixture_disabled():
            say(line)

    return aloud


@pytest.fixture(scope="module")
def host(capture: Any, tell: Tell) -> Iterator[RealNode]:
    """The host, deployed to. Removed at the end."""
    free = memory_free()
    if free < MEMORY_GIB:
        reason = f"a real engine takes {MEMORY_GIB} GiB of memory, and only {free:.1f} are free"
        tell(f"SKIPPED: {reason}")
        pytest.skip(reason)
    with ExitStack() as stack:
        with capture.global_and_fixture_disabled():
            node = stack.enter_context(real_node())
        yield node


@pytest.fixture
def node(host: RealNode) -> RealNode:
    """The host, serving and without a past, whatever became of it before."""
    host.forget()
    if host.state()["phase"] not in {"SERVING", "STARTING"}:
        host.undrain()
    host.serves(START)
    return host


def test_deployed_it_serves_what_was_deployed(host: RealNode) -> None:
    host.serves(START)
    engine = host.engine()
    assert (engine["kind"], engine["running_digest"]) == ("vllm", engine["digest"])
    listed = host.world.gateway(host.host).request("GET", "/v1/models").json()["data"]
    assert [one["id"] for one in listed] == [engine["served_name"]]
    assert "--shutdown-timeout" in json.loads(
        host.shell("docker inspect --format '{{json .Args}}' stoker-main")
    )


def test_words_stream_one_by_one(node: RealNode) -> None:
    stream = node.stream("What is the capital of France?", 30)
    assert stream.status == 200
    assert "Paris" in stream.text()
    assert stream.finished
    long = node.stream(ESSAY, 60)  # seconds: also a client that is late sees that it streams
    long.text()
    assert len(long.arrivals) >= 30
    assert long.arrivals[-1] - long.arrivals[0] > 0.02


def test_load_and_progress_are_read_from_its_own_metrics(node: RealNode, tell: Tell) -> None:
    tokens = max(100, node.tokens(5 * SHORT))
    with node.untouched(), ThreadPoolExecutor(AT_ONCE + 2) as pool:
        asked = [pool.submit(_read, node, tokens) for _ in range(AT_ONCE + 2)]
        wait_for("all of them inside", lambda: _load(node) == (AT_ONCE, 2), 30)
        metrics = node.get("/metrics")[1]
        assert f'stoker_engine_requests_running{{engine="main"}} {AT_ONCE}.0\n' in metrics
        assert 'stoker_engine_requests_waiting{engine="main"} 2.0\n' in metrics
        before = _steps(node)
        wait_for("steps", lambda: _steps(node) > before + 5, 10)
        assert all(one.result() for one in asked)
        wait_for("nothing inside", lambda: _load(node) == (0, 0), 15)
        over = _steps(node)
    tell(f"real-1: {AT_ONCE} requests computed, 2 waiting; {over:.0f} steps in all")


def test_drained_by_a_person_it_finishes_what_it_has(node: RealNode) -> None:
    before, tokens = node.engine()["running_since"], node.tokens(SHORT)
    talk = node.talk(tokens)
    node.shell("stokerctl drain main --by tester --reason e2e")
    node.refuses(1)
    talk.ends_whole(tokens // 2)  # two tokens may come as one piece
    node.becomes("DRAINED", "Drained", 10)
    node.undrain()
    node.serves()
    assert node.engine()["running_since"] == before


def test_killed_core_is_restarted_once(node: RealNode, tell: Tell) -> None:
    before, talk = node.engine()["running_since"], node.talk(LONG)
    begun = node.kill_core()
    talk.is_cut(15)
    node.serves(START, since=before)
    tell(f"real-1: engine core killed: {_after(node, begun)}")
    assert len(node.state()["starts"]) == 1


def test_server_that_ends_with_0_has_crashed_all_the_same(node: RealNode) -> None:
    """The agent is away, so that it does not stop the server for its closed port before it ends."""
    before = node.engine()["running_since"]
    node.shell("systemctl stop stoker-agent")
    try:
        node.kill_core()
        runs = "systemctl is-active stoker-engine@main"
        wait_for("its end", lambda: node.shell(runs, check=False) != "active", 30)
    finally:
        node.shell("systemctl start stoker-agent")
    wait_for("the agent is back", lambda: node.get("/livez")[0] == 200, 20)
    node.serves(START, since=before)
    ended = node.engine()["last_exit"]
    assert (ended["code"], ended["kind"], ended["reason"]) == (0, "crash", "EngineDied"), ended
    assert len(node.state()["starts"]) == 1


def test_frozen_core_is_hung_though_health_says_ok(node: RealNode, tell: Tell) -> None:
    before, talk = node.engine()["running_since"], node.talk(LONG)
    begun = node.freeze_core()
    doubt = wait_for("a doubt", lambda: node.condition("EngineStalled"), HANG_AFTER + 5)
    assert "pending 1" in doubt["evidence"]
    assert "health ok" in doubt["evidence"]
    state = node.becomes("STARTING", "EngineHung", TOLD + 5)
    assert state["by"] == "agent"
    talk.is_cut(15)
    node.serves(START, since=before)
    tell(f"real-1: engine core frozen: told {state['since'] - begun:.1f} s, {_after(node, begun)}")
    assert len(node.state()["starts"]) == 1


def test_told_to_stop_it_finishes_what_it_can_by_its_deadline(node: RealNode, tell: Tell) -> None:
    before, tokens = node.engine()["running_since"], node.tokens(SHORT / 2)
    long, short = node.talk(LONG), node.talk(tokens)
    begun = time.monotonic()
    node.shell("systemctl stop stoker-engine@main")  # behind the agent's back: SIGTERM at once
    seconds = time.monotonic() - begun
    short.ends_whole(tokens // 2)  # two tokens may come as one piece
    long.is_cut(5)
    assert DRAIN - 2 < seconds < STOP + 5
    node.serves(START, since=before)
    ended = node.engine()["last_exit"]
    assert ended["kind"] == "asked"
    tell(f"real-1: SIGTERM under a short and an endless stream: {ended['reason']}, {seconds:.1f} s")


def _after(node: RealNode, begun: float) -> str:
    return f"serves again {node.state()['since'] - begun:.1f} s after it"


def _read(node: RealNode, tokens: int) -> bool:
    stream = node.stream(ESSAY, tokens)
    return bool(stream.text()) and stream.finished


def _load(node: RealNode) -> tuple[int, int]:
    engine = node.engine()
    return engine["requests_running"], engine["requests_waiting"]


def _steps(node: RealNode) -> float:
    found = VLLM.progress(node.scrape())
    assert found is not None
    return found
