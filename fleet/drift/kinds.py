"""What putting a drift right would cost: the kind of each operation. Pure.

To classify an operation that is new: a line in the table of its stage, if the stage's own kind is
not the right one.
"""

from fnmatch import fnmatchcase

from agent.drift.report import Kind

# A stage's own kind. What may cut off the operator, or move a driver, is for a person.
STAGES = {
    "base": Kind.SAFE,
    "firewall": Kind.NEVER,
    "driver": Kind.NEVER,
    "takeover": Kind.NEVER,
    "runtime": Kind.SAFE,
    "model": Kind.SAFE,
    "gateway": Kind.SAFE,
    "agent": Kind.SAFE,
    "engine": Kind.DISRUPTIVE,
    "balancer": Kind.SAFE,
    "monitoring": Kind.SAFE,
    "drift": Kind.SAFE,
    "release": Kind.SAFE,
    "rollout": Kind.SAFE,
}
# Where an operation differs from its stage: patterns of names, the first that fits.
OPERATIONS: tuple[tuple[str, str, Kind], ...] = (
    ("firewall", "place *", Kind.SAFE),
    ("firewall", "read *", Kind.SAFE),
    ("driver", "run nvidia-persistenced", Kind.SAFE),
    ("driver", "place *", Kind.SAFE),
    ("driver", "make directories", Kind.SAFE),
    ("driver", "add *", Kind.SAFE),
    ("runtime", "merge /etc/docker/daemon.json", Kind.DISRUPTIVE),
    ("runtime", "run Docker with this", Kind.DISRUPTIVE),
    ("runtime", "install *", Kind.NEVER),
    ("runtime", "remove *", Kind.NEVER),
)
# A package that is there and only lost its hold: nothing is installed by holding it again.
HOLD = "apt-mark hold"


def kind(stage: str, name: str, first: str | None) -> Kind:
    """Return the kind of an operation, given the first command that it would send."""
    if first is not None and HOLD in first and "install" not in first:
        return Kind.SAFE
    for of_stage, pattern, found in OPERATIONS:
        if stage == of_stage and fnmatchcase(name, pattern):
            return found
    return STAGES.get(stage, Kind.NEVER)
