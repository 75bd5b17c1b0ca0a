"""How fast new requests stop after a fatal line in the kernel log.

On a host of the sandbox after the real deploy: the line of an Xid 48 (a double-bit memory error,
after which the GPU needs a reset) is written to what stands in for /dev/kmsg, and three pollers at
1 kHz see when `/readyz` answers 503, when the agent-check stops saying `ready`, and when nginx
refuses new chats. The clock starts before the write. Then the incident is acknowledged, the engine
serves again, and the next round strikes the other GPU. First with nothing else to do, then with
streams through the gateway and as many endless loops as the machine has cores.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import figures
from benchmarks.figures import CannotMeasureError, Figures
from benchmarks.host import Host
from benchmarks.load import streams
from benchmarks.outlets import Poller, polling
from tests.sandbox.fleet import Fleet

XID, TEXT = 48, "DBE (double bit error) has been detected on GPU"
APART = 2.2  # seconds between two faults of one GPU: less would be one fault told twice
LIMIT = 5.0  # seconds in which a drain must be seen at all
Latencies = dict[str, list[float]]


def main(arguments: list[str]) -> int:
    """Measure, print, and say whether it could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100, help="under load (%(default)s)")
    parser.add_argument("--idle-rounds", type=int, default=25, help="(%(default)s)")
    parser.add_argument("--streams", type=int, default=16, help="under way at once (%(default)s)")
    return figures.run(parser, measure, arguments)


def measure(options: argparse.Namespace) -> Figures:
    """Measure idle, then under load."""
    host = Host(Fleet("demo"))
    found: Figures = {"xid": XID, "rounds": options.rounds, "idle_rounds": options.idle_rounds}
    with polling(*host.outlets) as pollers:
        if options.idle_rounds:
            found |= _told("idle", _rounds(host, pollers, options.idle_rounds))
        with host.hogs(), streams(host.gateway_made_of, options.streams) as counted:
            loaded = _rounds(host, pollers, options.rounds)
        found |= _told("load", loaded)
    return found | {f"streams_{how}": counted[how] for how in ("finished", "broken", "refused")}


def _rounds(host: Host, pollers: list[Poller], count: int) -> Latencies:
    latencies: Latencies = {poller.name: [] for poller in pollers}
    struck = [0.0, 0.0]
    for number in range(count):
        gpu = number % len(struck)
        time.sleep(max(0.0, struck[gpu] + APART - time.monotonic()))
        struck[gpu], seen = _round(host, pollers, gpu)
        for name, latency in seen.items():
            latencies[name].append(latency)
    return latencies


def _round(host: Host, pollers: list[Poller], gpu: int) -> tuple[float, dict[str, float]]:
    """Return when the fault struck, and after how long each outlet told."""
    for poller in pollers:
        poller.begin(LIMIT)
    for poller in pollers:
        poller.begun()
    time.sleep(random.uniform(0.01, 0.03))  # noqa: S311 - not in step with the pollers
    begun = time.monotonic()
    host.xid(gpu, XID, TEXT)
    seen = {poller.name: poller.seen().refused for poller in pollers}
    host.acknowledge()
    host.wait_until_serving()
    late = [name for name, refused in seen.items() if refused is None]
    if late:
        raise CannotMeasureError(f"no drain within {LIMIT:.0f} s at {', '.join(late)}")
    return begun, {name: at - begun for name, at in seen.items() if at is not None}


def _told(when: str, latencies: Latencies) -> Figures:
    found: Figures = {}
    for name, values in latencies.items():
        found |= figures.spread(f"{when}_{name}", values)
    slowest = [max(together) for together in zip(*latencies.values(), strict=True)]
    return found | figures.spread(f"{when}_all", slowest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
