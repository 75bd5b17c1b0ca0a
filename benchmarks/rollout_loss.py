"""How many requests are lost, or done twice, while a fleet of three hosts changes under load.

Three hosts of the sandbox serve the same model. Clients keep requests under way all the time, every
second one a stream; they know all hosts, ask `/readyz`, and try elsewhere only what surely nobody
has. Then the engine is upgraded, rolled back without a registry, the model is changed, an engine's
settings change beside a copy on each host, the key is rotated, and the driver is moved with a
reboot. Counted at the clients and in the engines' ledgers.
It makes the fleet `roll` anew and removes it at the end; `--keep` takes it as it is.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import figures
from benchmarks.figures import CannotMeasureError, Figures
from tests.e2e.rolling import CLIENTS, NEXT_MODEL, RollWorld, books, load, roll_world
from tests.e2e.world import INVENTORY, Run

SUMS = (
    "requests",
    "streams",
    "lost",
    "duplicated",
    "unknown_to_engines",
    "dropped_by_engines",
    "sent_though_turned_away",
    "tried_elsewhere",
)


def main(arguments: list[str]) -> int:
    """Measure, print, and say whether it could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=CLIENTS, help="at once (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="the fleet stays, and may be there")
    return figures.run(parser, measure, arguments)


def measure(options: argparse.Namespace) -> Figures:
    """Make the changes one after the other, each under its own load."""
    found: Figures = {"hosts": 3, "clients": options.clients}
    total = dict.fromkeys(SUMS, 0)
    with roll_world(keep=options.keep) as world:
        for name, change in CHANGES.items():
            before = world.ledger()
            with load(world, options.clients) as balanced:
                begun = time.monotonic()
                change(world)
                took = time.monotonic() - begun
            counted = books(world, balanced.tally, before)
            total = {key: total[key] + counted[key] for key in SUMS}
            found |= {
                f"{name}_seconds": round(took, 1),
                f"{name}_requests": counted["requests"],
                f"{name}_lost": counted["lost"],
                f"{name}_duplicated": counted["duplicated"],
                f"{name}_tried_elsewhere": counted["tried_elsewhere"],
                f"{name}_slowest_s": round(balanced.tally.slowest, 1),
            }
    return found | total


def _upgrade(world: RollWorld) -> None:
    world.wish(engine_image=world.next_image())
    _done(world.deploy())


def _back(world: RollWorld) -> None:
    with world.depot_down():
        code, said = world.cli("rollback", INVENTORY, "--reason", "measured")
    if code:
        raise CannotMeasureError(f"the rollback ended with {code}: {said[-1000:]}")
    world.wish(engine_image=None)


def _model(world: RollWorld) -> None:
    world.wish(engine_model=NEXT_MODEL, engine_revision=world.next_model())
    _done(world.deploy())


def _beside(world: RollWorld) -> None:
    settings = world.engine_environment(LABEL="blue-green")
    world.wish(rollout_strategy="blue/green", engine_environment=settings)
    _done(world.deploy())
    world.wish(rollout_strategy=None)


def _keys(world: RollWorld) -> None:
    for run in world.rotate_keys(world.deploy):
        _done(run)


def _driver(world: RollWorld) -> None:
    world.wish(driver_branch="620")
    _done(world.deploy())


def _done(run: Run) -> None:
    if run.code:
        raise CannotMeasureError(f"the deploy ended with {run.code}: {run.output[-1000:]}")


CHANGES: dict[str, Callable[[RollWorld], None]] = {
    "upgrade": _upgrade,
    "rollback": _back,
    "model": _model,
    "blue_green": _beside,
    "keys": _keys,
    "driver": _driver,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
