"""How long a hung engine goes unnoticed, though `/health` says 200, and what is wrongly told hung.

Real agents on this machine (`benchmarks.rig`), which only observe, each with simulated engines of
one kind. Their loops stand still, under load and idle; the clock runs from the order to the finding
`EngineHung`. `health_when_hung` is what `/health` says meanwhile: 200, but SGLang's, which asks its
scheduler for a token, may fall silent. Before that an agent with engines of all kinds meets what
only looks like a hang: idleness, a full queue, 2 tokens a second, and a prompt of 128k tokens that
is read all the time. It has the patience of the defaults, and may tell no engine hung.

TGI has no heartbeat of steps: it is told hung after 150 s without a token and 30 s of silence to a
probe. Here the 150 s are set to 5 s (`engine_hang_after`); the figures `tgi_rule_*` are what the
rule comes to with its own value, up to a tick.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from agent.engines import ENGINES
from agent.pace import IDLE_EVERY
from agent.snapshot import Snapshot
from benchmarks import figures
from benchmarks.figures import Figures
from benchmarks.rig import Rig, rig
from tests.sandbox.engine_sim.harness import Simulator

SCALED = 5.0  # seconds, instead of 150
BENIGN = {kind: {"kind": kind, "gpus": 2} for kind in ("vllm", "sglang", "tgi")}
SMALL = {  # two streams at once, a few that wait, the rest refused
    "vllm": ("--max-num-seqs", "2", "--max-num-queued-reqs", "5"),
    "sglang": ("--max-running-requests", "2", "--max-queued-requests", "3"),
    "tgi": ("--max-concurrent-requests", "5"),
}
CHAT = {
    "messages": [{"role": "user", "content": "hello there"}],
    "stream": True,
    "max_tokens": 200,
}
LOAD = 3  # streams
# What looks like a hang: orders to every engine, and streams in each.
MODES: dict[str, tuple[list[dict[str, object]], int]] = {
    "idle": ([], 0),
    "full": ([], 12),
    "slow": ([{"kind": "slow", "tokens_per_second": 2}], 2),
    "prompt": ([{"kind": "clear"}, {"kind": "long_prefill", "tokens": 131_072}], 1),
}
LIMIT = 90.0  # seconds in which a hang must be told at all
EVERY = 0.1  # seconds between two looks at the agent


def main(arguments: list[str]) -> int:
    """Measure, print, and say whether it could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of vLLM and SGLang (%(default)s)")
    parser.add_argument("--benign", type=float, default=15.0, help="seconds a mode (%(default)s)")
    return figures.run(parser, measure, arguments)


def measure(options: argparse.Namespace) -> Figures:
    """Measure false hits, then hangs: of agents that do not know of each other, at once."""
    found = _benign(options.benign)
    with ThreadPoolExecutor() as pool:
        steps = [pool.submit(_steps, kind, options.rounds) for kind in ("vllm", "sglang")]
        for course in (*steps, pool.submit(_tgi)):
            found |= course.result()
    return found


def _benign(seconds: float) -> Figures:
    """Count how many engines that are well are told hung, over looks at the agent."""
    hits: Counter[str] = Counter()
    looks = 0
    with rig(BENIGN, gpus=6, flags=SMALL, agent_remediation="observe") as one:
        for mode, (orders, count) in MODES.items():
            for order in orders:
                for engine in one.engines.values():
                    engine.fault(**order | ({"seconds": seconds} if mode == "prompt" else {}))
            with _streams(list(one.engines.values()), count):
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    hits[mode] += len(_hung(one.agent.status()))
                    looks += 1
                    time.sleep(EVERY)
    found: Figures = {"false_hits": sum(hits.values()), "benign_looks": looks}
    return found | {f"benign_{mode}_s": seconds for mode in MODES}


def _steps(kind: str, rounds: int) -> Figures:
    """Let an engine that counts its steps hang under load, then idle, each so often."""
    with rig({kind: {"kind": kind, "gpus": 8}}, agent_remediation="observe") as one:
        engine, loaded, idle = one.engines[kind], [], []
        said = set[str]()
        with _streams([engine], LOAD):
            for _ in range(rounds):
                time.sleep(2.0 + random.random())  # noqa: S311 - not in step with the ticks
                loaded.append(_strike(one, kind))
                said.add(_health(engine))
                _recover(one, kind)
        _until_empty(one, kind)
        for _ in range(rounds):
            time.sleep(2.0 + 10.0 * random.random())  # noqa: S311 - nor with the idle probes
            idle.append(_strike(one, kind))
            _recover(one, kind)
    found: Figures = {f"{kind}_rounds": rounds, f"{kind}_health_when_hung": " ".join(sorted(said))}
    found |= figures.spread(f"{kind}_load", loaded, "s", 1.0)
    return found | figures.spread(f"{kind}_idle", idle, "s", 1.0)


def _tgi() -> Figures:
    """Let one TGI hang under load and one idle, once: what is dead in TGI stays dead."""
    keys = {"kind": "tgi", "gpus": 4, "hang_after": SCALED}
    found: Figures = {}
    with rig({"load": keys, "idle": keys}, agent_remediation="observe") as one:
        with _streams([one.engines["load"]], LOAD), ThreadPoolExecutor() as pool:
            time.sleep(3.0)
            struck = {name: pool.submit(_strike, one, name) for name in one.engines}
            for name, course in struck.items():
                found[f"tgi_{name}_scaled_s"] = round(course.result(), 3)
                found[f"tgi_{name}_health_when_hung"] = _health(one.engines[name])
        engine = one.spec.engines["idle"]
    own = ENGINES["tgi"].patience(msgspec.structs.replace(engine, hang_after=None))
    found["tgi_rule_load_s"] = own.stalled + own.probe
    return found | {"tgi_rule_idle_s": IDLE_EVERY + own.idle_probe}


def _strike(one: Rig, name: str) -> float:
    """Let an engine hang; return the seconds until that is told."""
    begun = time.monotonic()
    one.engines[name].fault(kind="router_loop_dead")
    one.wait(f"{name} is told hung", lambda status: name in _hung(status), LIMIT, EVERY)
    return time.monotonic() - begun


def _health(engine: Simulator) -> str:
    """Return what `/health` says within a second."""
    connection = HTTPConnection("127.0.0.1", engine.port, timeout=1.0)
    try:
        connection.request("GET", "/health")
        return str(connection.getresponse().status)
    except OSError:
        return "silent"
    finally:
        connection.close()


def _recover(one: Rig, name: str) -> None:
    one.engines[name].fault(kind="clear")
    one.wait(f"{name} is well", lambda status: name not in _hung(status), LIMIT, EVERY)


def _until_empty(one: Rig, name: str) -> None:
    one.wait(f"{name} is idle", lambda status: status.engines[name].in_flight == 0, LIMIT, EVERY)


def _hung(status: Snapshot) -> set[str]:
    told = (one for one in status.conditions if one.reason == "EngineHung")
    return {one.subject.removeprefix("engine:") for one in told}


@contextmanager
def _streams(engines: Sequence[Simulator], count: int) -> Iterator[None]:
    """Keep so many streams under way in each engine; those that are left end by themselves."""
    over = threading.Event()

    def ask(engine: Simulator) -> None:
        while not over.is_set():
            with suppress(OSError, HTTPException):
                if engine.ask("/v1/chat/completions", CHAT).status == 200:
                    continue
            over.wait(0.2)

    for engine in engines:
        for _ in range(count):
            threading.Thread(target=ask, args=(engine,), daemon=True).start()
    try:
        yield
    finally:
        over.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
