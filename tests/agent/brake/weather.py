"""What goes wrong in a simulated fleet: the network, the server, clocks, agents and hosts."""

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Shares of 0 to 1 of all messages, and counts of what happens; times in seconds.

    `loss`: a message is lost, each way by itself. `broken`: the server says that something is
    wrong, whether it carried the request out or not. `slow`: a message takes up to `slowest`.
    `twice`: a request arrives again, also much later. `kills`: the server is dead for a while.
    `cuts`: a part of the nodes cannot reach it; some messages wait for the end of that.
    `crashes` of agents, `failures` of hosts, `faults` of engines, `steps` of clocks. `skew`: how
    much faster or slower clocks run. `full`: a state cannot be saved. `killed`: a deploy or a
    correction is killed in the middle.
    """

    loss: float = 0.0
    broken: float = 0.0
    slow: float = 0.0
    slowest: float = 0.0
    twice: float = 0.0
    kills: int = 0
    cuts: int = 0
    crashes: int = 0
    failures: int = 0
    faults: int = 0
    steps: int = 0
    skew: float = 0.0
    full: float = 0.0
    killed: float = 0.0


CALM = Weather()
# By no clock is a message on its way for longer than `slots.SETTLING`, so that in the end no slot
# is left behind. That never too many are out does not depend on this.
SLOWEST = 200.0


def storm(dice: random.Random) -> Weather:
    """Return some weather: any single trouble, or all of it together."""
    pick = dice.choice
    return Weather(
        loss=pick([0.0, 0.05, 0.3]),
        broken=pick([0.0, 0.1]),
        slow=pick([0.0, 0.1, 0.5]),
        slowest=pick([15.0, SLOWEST]),
        twice=pick([0.0, 0.2]),
        kills=pick([0, 1, 4]),
        cuts=pick([0, 1, 4]),
        crashes=pick([0, 40]),
        failures=pick([0, 20]),
        faults=pick([0, 40]),
        steps=pick([0, 60]),
        skew=pick([0.0, 0.3]),
        full=pick([0.0, 0.0, 0.1]),
        killed=pick([0.0, 0.3]),
    )


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """`nodes` of which each serves one of `models`, or two; of each `most` may be out.

    `rungs`, `rolls` and `corrections` are what the agents, deploys and drift want to do within
    `hours`. `patience` in seconds is how long a deploy or a correction waits for a slot.
    """

    nodes: int = 200
    models: int = 3
    most: int = 2
    hours: float = 1.0
    rungs: int = 8
    rolls: int = 16
    corrections: int = 8
    patience: float = 300.0
    weather: Weather = field(default_factory=Weather)


def fleet(seed: int, nodes: int = 200) -> Fleet:
    """Return the fleet of a seed, in some weather."""
    dice = random.Random(f"fleet {seed}")
    return Fleet(
        nodes=nodes,
        models=dice.choice([1, 2, 3]),
        most=dice.choice([1, 2, 3, 8]),
        weather=storm(dice),
    )
