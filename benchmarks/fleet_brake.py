"""The fleet brake in bad weather: are ever more nodes of a model out by our doing than may be?

Simulates fleets of 200 nodes, one for each seed: agents that want to reboot, a deploy that rolls,
drift that corrects, and a FleetLock server that is killed, cut off, slow, or broken, with messages
lost and told twice, clocks skewed and set, agents and hosts that crash, disks that are full. The
agents' own code for the brake is what runs (`tests/agent/brake/world.py`). Then the same with one
thing wrong in the protocol, which has to show; and how long a slot takes with a real etcd.
Prints a table; the last line is one JSON object. Ends with 0 when it could measure.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import aiohttp

from agent.fleetlock import FleetLock, Granted
from agent.keeper import Keeper
from agent.model import Verb
from benchmarks import figures
from benchmarks.figures import CannotMeasureError, Figures
from tests.agent.brake import mutants
from tests.agent.brake.etcd import Etcd, EtcdFleetLock
from tests.agent.brake.node import Node
from tests.agent.brake.weather import Fleet, Weather, fleet
from tests.agent.brake.world import run
from tests.agent.fakes import FakeDisk
from tests.sandbox import tools
from tests.sandbox.shell import SandboxError

CHUNK = 25  # seeds for one process at a time
GRANTS = 200
ROUGH = Weather(loss=0.1, slow=0.5, slowest=60.0, twice=0.2)
WRONG: tuple[type[Node], ...] = (
    mutants.GivesBackEarly,
    mutants.ForgetsWhomItTookOut,
    mutants.ForgetsItsRungs,
    mutants.ActsUnheard,
    mutants.OneName,
)


def main(arguments: list[str]) -> int:
    """Measure, print, and say whether it could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    logging.disable(logging.WARNING)
    return figures.run(parser, _measure, arguments)


def _measure(options: argparse.Namespace) -> Figures:
    begun = time.perf_counter()
    seen: Counter[str] = Counter()
    last = options.first + options.seeds
    jobs = [
        (first, min(first + CHUNK, last), options.nodes)
        for first in range(options.first, last, CHUNK)
    ]
    # Spawned, so that a job has nothing of this process but its numbers.
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        for number, found in enumerate(pool.imap_unordered(_fleets, jobs), 1):
            seen.update(found)
            if number % 40 == 0:
                done = min(number * CHUNK, options.seeds)
                print(f"{done} seeds, {seen['above_max']} above", file=sys.stderr, flush=True)
    took = time.perf_counter() - begun
    return {
        "seeds": options.seeds,
        "nodes": options.nodes,
        "above_max_unavailable": seen["above_max"],
        "at_max_unavailable": seen["at_max"],
        "slots_left_behind": seen["left"],
        "not_come_to_rest": seen["unmet"],
        "restarts": seen["restart"],
        "drains": seen["drain"],
        "reboots": seen["reboot"],
        "not_granted_in_time": seen["refused"],
        "requests": seen["messages"],
        "events": seen["events"],
        "seconds": round(took, 1),
        **_mutants(),
        **asyncio.run(_etcd()),
    }


def _fleets(job: tuple[int, int, int]) -> dict[str, int]:
    """Run the fleets of some seeds; the counts add up."""
    logging.disable(logging.WARNING)
    first, last, nodes = job
    seen: Counter[str] = Counter()
    for seed in range(first, last):
        made = fleet(seed, nodes)
        tally = run(seed, made)
        seen["above_max"] += bool(tally.robbed)
        seen["at_max"] += tally.most == made.most
        seen["left"] += len(tally.left)
        seen["unmet"] += bool(tally.unmet)
        seen["restart"] += tally.acts[Verb.RESTART]
        seen["drain"] += tally.acts[Verb.DRAIN]
        seen["reboot"] += tally.acts["reboot"]
        seen["refused"] += tally.refused
        seen["messages"] += tally.messages
        seen["events"] += tally.events
        if tally.robbed or tally.left or tally.unmet:
            print(f"seed {seed}: {tally.robbed[:1]} {tally.left} {made}", file=sys.stderr)
    return dict(seen)


def _mutants() -> Figures:
    """Count the protocols with one thing wrong that 100 small fleets find out."""
    busy = Fleet(
        nodes=6, models=1, most=2, rungs=30, rolls=6, corrections=6, patience=900, weather=ROUGH
    )
    found = [any(run(seed, busy, node=one).robbed for seed in range(100)) for one in WRONG]
    expires = any(run(seed, busy, server=mutants.Expires).robbed for seed in range(100))
    return {"wrong_protocols": len(WRONG) + 1, "wrong_protocols_found": sum(found) + expires}


async def _etcd() -> Figures:
    """Take and give back one slot again and again, with a real etcd behind a real server."""
    try:
        tools.ensure("etcd")
    except SandboxError as problem:
        raise CannotMeasureError(str(problem)) from problem
    with tempfile.TemporaryDirectory() as directory:
        async with (
            Etcd(Path(directory)) as etcd,
            EtcdFleetLock(etcd.url, {"g": 1}) as server,
            aiohttp.ClientSession() as http,
        ):
            keeper = Keeper(
                FakeDisk(), lambda: ("g",), lambda g, n: FleetLock(server.url, g, n, http), "host"
            )
            taken = []
            for _ in range(GRANTS):
                begun = time.perf_counter()
                if not isinstance(await keeper.acquire(), Granted):
                    raise CannotMeasureError("a free slot was not granted")
                taken.append(time.perf_counter() - begun)
                await keeper.release()
    return figures.spread("etcd_slot", taken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
