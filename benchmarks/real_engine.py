"""How a real engine starts, ends, hangs and works, as Stoker sees it: vLLM's CPU build.

On a host of the sandbox after the real deploy, with SmolLM2-135M-Instruct: not a GPU's figures, but
the real server, engine core and worker. Clocks start right before the signal and end when the
agent's status says so. The engine core is killed under a stream, or stopped by SIGSTOP, as a call
that never returns stops it, under a stream and while idle. `load` is from the container's start to
the first proven answer. The patience is the one set here (`engine_hang_after`): by its own rule an
engine without a GPU gets 30 s for a step. Brings its host up and removes it.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent.engines import exposition
from benchmarks import figures
from benchmarks.figures import CannotMeasureError, Figures
from tests.e2e.real import AT_ONCE, ESSAY, HANG_AFTER, START, RealNode, real_node
from tests.sandbox.shell import SandboxError

TOKENS = 100
LONG = 1900  # tokens
HUNG = 60.0  # seconds in which a hang must be told at all
# Every process of the engine: its name, and its Rss and Pss in KiB.
MEMORY = """
for pid in $(docker top stoker-main -eo pid | tail -n +2); do
    name=$(tr "\\0" " " < /proc/$pid/cmdline | cut -c 1-60)
    sed -nE "s#^(Rss|Pss): *([0-9]+) kB#$name \\1: \\2#p" /proc/$pid/smaps_rollup
done
"""


def main(arguments: list[str]) -> int:
    """Measure, print, and say whether it could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each fault (%(default)s)")
    return figures.run(parser, measure, arguments)


def measure(options: argparse.Namespace) -> Figures:
    """Bring the host up, look at it at work, then let its engine die and hang."""
    try:
        with real_node() as node:
            node.serves(START)
            found = {"rounds": options.rounds, "hang_after_s": HANG_AFTER}
            return found | _speed(node) | _memory(node) | _faults(node, options.rounds)
    except (SandboxError, AssertionError) as problem:
        raise CannotMeasureError(str(problem)) from problem


def _speed(node: RealNode) -> Figures:
    """Return what one client gets, and what all that are computed at once get together."""
    alone = node.stream(ESSAY, TOKENS)
    before = _tokens(node)
    alone.text()
    after = _tokens(node)
    spent = alone.arrivals[-1] - alone.arrivals[0]
    begun = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        all(pool.map(lambda _: node.stream(ESSAY, TOKENS).text(), range(AT_ONCE)))
    together = (_tokens(node) - after) / (time.monotonic() - begun)
    return {
        "first_piece_ms": round(alone.arrivals[0] * 1e3),
        "tokens_per_s_one_stream": round((after - before) / spent, 1),
        f"tokens_per_s_{AT_ONCE}_streams": round(together, 1),
    }


def _tokens(node: RealNode) -> float:
    return exposition.total(node.scrape(), "vllm:generation_tokens_total") or 0.0


def _memory(node: RealNode) -> Figures:
    """Return the memory of the server, the engine core and all, at the end of some work."""
    rss: dict[str, int] = {"server": 0, "core": 0, "worker": 0}
    pss = 0
    for line in node.shell(MEMORY).splitlines():
        what, kib = line.rsplit(maxsplit=1)
        if what.endswith(" Pss:"):
            pss += int(kib)
        else:
            rss[_part(what)] += int(kib)
    if not pss:
        raise CannotMeasureError("the engine's processes cannot be seen on its host")
    parts = {f"rss_{part}_mib": round(kib / 1024) for part, kib in rss.items()}
    return {**parts, "pss_all_mib": round(pss / 1024)}


def _part(command: str) -> str:
    if "VLLM::" not in command:
        return "server"
    return "core" if "EngineCore" in command else "worker"


def _faults(node: RealNode, rounds: int) -> Figures:
    """Kill the engine core, and let it hang under load and idle, each so often."""
    found: dict[str, list[float]] = {}

    def note(**seconds: float) -> None:
        for name, value in seconds.items():
            found.setdefault(name, []).append(value)

    for _ in range(rounds):
        since = _ready(node)
        node.talk(LONG)
        begun = node.kill_core()
        serving, load = _back(node, since)
        note(killed_serving=serving - begun, load=load)
        for name, busy in (("load", True), ("idle", False)):
            since = _ready(node)
            if busy:
                node.talk(LONG)
            begun = node.freeze_core()
            told = node.becomes("STARTING", "EngineHung", HUNG)["since"]
            serving, load = _back(node, since)
            note(**{f"hung_{name}_told": told - begun, f"hung_{name}_serving": serving - begun})
            note(load=load)
    spreads = [figures.spread(name, values, "s", 1.0) for name, values in sorted(found.items())]
    return {name: value for one in spreads for name, value in one.items()}


def _ready(node: RealNode) -> object:
    """Let the agent have no past of restarts; return since when the engine runs."""
    node.forget()
    node.serves(START)
    return node.engine()["running_since"]


def _back(node: RealNode, since: object) -> tuple[float, float]:
    """Wait until a fresh engine serves; return when it began to, and how long its start took."""
    node.serves(START, since=since)
    engine = node.engine()
    serving = float(engine["state"]["since"])
    return serving, serving - float(engine["running_since"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
