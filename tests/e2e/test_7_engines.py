"""Engines that end, hang, or only look as if: the right remedy, once, and no other.

What takes its time is tried on all hosts at once.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.faults import Node
from tests.e2e.tuned import HANG_AFTER
from tests.e2e.world import wait_for
from tests.sandbox.together import together

SHORT, LONG = 100, 4000  # tokens
IDLE = 10  # seconds without a request after which an engine is probed
PROBE = 30  # seconds that TGI gets to answer a probe
CRASHES: dict[str, tuple[tuple[str, dict[str, Any]], str, str]] = {
    "killed": (("shard_crash", {"class": "killed"}), "ShardKilled", "crash"),
    "oom": (("shard_crash", {"class": "oom"}), "GpuOutOfMemory", "memory"),
    "cuda": (("shard_crash", {"class": "cuda"}), "CudaError", "gpu"),
    "nccl": (("shard_crash", {"class": "nccl"}), "NcclTimeout", "gpu"),
    "sigbus": (("shard_crash", {"class": "sigbus"}), "SharedMemoryTooSmall", "crash"),
    "router": (("crash", {}), "WebserverFailed", "crash"),
    "exit-0": (("exit_code", {"code": 0}), "Crashed", "crash"),
}


@pytest.mark.parametrize("how", CRASHES)
def test_crash_is_classified_and_cured_by_one_restart(plain: Node, how: str) -> None:
    (kind, order), reason, exit_class = CRASHES[how]
    before = plain.engine()["running_since"]
    talk = plain.talk(LONG)
    plain.sim(kind, **order)
    talk.is_cut(20)
    plain.serves(since=before)
    ended = plain.engine()["last_exit"]
    assert (ended["reason"], ended["kind"]) == (reason, exit_class), ended["message"]
    assert len(plain.state()["starts"]) == 1


def test_bad_configuration_is_quarantined_at_once_and_never_tried_again(plain: Node) -> None:
    plain.next_start(start="exit", exit_code=2)
    plain.sim("crash")
    state = plain.becomes("QUARANTINED", "BadFlag", 60)
    assert len(state["starts"]) == 1  # the crash's; what was found then is not tried again
    plain.refuses()
    time.sleep(5)
    assert plain.state() == state
    plain.shell("rm /var/lib/stoker/models/*/*/sim-faults.json")
    plain.undrain()
    plain.serves()


def test_what_hangs_is_restarted(nodes: dict[str, Node]) -> None:
    together(*_each(nodes, _hang_under_load, _hang_while_idle, _stuck_in_the_driver))


def test_what_only_looks_hung_is_not(nodes: dict[str, Node]) -> None:
    together(*_each(nodes, _hung_gpu, _long_prefill, _saturation))


def _each(nodes: dict[str, Node], *stories: Callable[[Node], None]) -> list[Callable[[], None]]:
    pairs = zip(nodes.values(), stories, strict=True)
    return [lambda node=node, story=story: story(node) for node, story in pairs]  # type: ignore[misc]


def _hang_under_load(node: Node) -> None:
    """The router's loop is dead: /health says 200, and nothing moves."""
    talk = node.talk(LONG)
    with _restart(node, HANG_AFTER + PROBE + 40):
        node.sim("router_loop_dead")
        wait_for("a doubt", lambda: node.condition("EngineStalled"), HANG_AFTER + 20)
    talk.is_cut(10)


def _hang_while_idle(node: Node) -> None:
    """The same without a request: only a probe can tell."""
    with _restart(node, IDLE + PROBE + 40):
        node.sim("router_loop_dead")


def _stuck_in_the_driver(node: Node) -> None:
    """The shards stand still, and /health hangs with them."""
    talk = node.talk(LONG)
    with _restart(node, HANG_AFTER + PROBE + 40):
        node.sim("shard_stuck")
    talk.is_cut(10)


@contextmanager
def _restart(node: Node, seconds: float) -> Iterator[None]:
    """Hold that the engine is restarted for its hang within so many seconds, and once."""
    before = node.engine()["running_since"]
    yield
    state = node.becomes("STARTING", "EngineHung", seconds)
    assert state["by"] == "agent"
    node.serves(since=before)
    assert len(node.state()["starts"]) == 1


def _long_prefill(node: Node) -> None:
    """One long prompt: no token, no step, for longer than a hang may last."""
    with node.untouched():
        node.sim("long_prefill", seconds=HANG_AFTER + PROBE + 10)
        answer = node.world.gateway(node.host).chat("A very long book", max_tokens=5)
        assert answer.status == 200


def _saturation(node: Node) -> None:
    """Full, slow, and it says so to everybody: no reason to lose what runs."""
    talk = node.talk(SHORT)
    with node.untouched(HANG_AFTER + PROBE + 10):
        node.sim("overload")
        node.sim("slow", tokens_per_second=0.15)
        assert node.chat().status == 429
    node.sim("clear")
    talk.ends_whole(SHORT)


def _hung_gpu(node: Node) -> None:
    """A call about one GPU hangs: the other one stays in sight, and traffic goes on."""
    with node.untouched():
        node.nvml.hang("nvmlDeviceGetMemoryInfo", 0)
        told = wait_for("told", lambda: node.condition("DriverHung"), 10)
        assert told["remedy"] == "none"
        wait_for("the other is seen", lambda: _seen(node) == [False, True], 10)
        node.nvml.release("nvmlDeviceGetMemoryInfo", 0)
        wait_for("it is over", lambda: node.condition("DriverHung") is None, 70)
        assert _seen(node) == [True, True]


def _seen(node: Node) -> list[bool]:
    return [one["memory_total"] is not None for one in node.status()["gpus"]["gpus"]]
