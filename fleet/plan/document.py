"""The plan as values: what `stoker plan --json` prints. Sizes in bytes, times in seconds."""

from typing import Literal

from agent.model import Value
from fleet.disruption import Disruption
from fleet.facts.apt_simulation import PackageMove

SCHEMA = 1

Verdict = Literal["nothing", "changes", "refused"]
CODES: dict[Verdict, int] = {"nothing": 0, "refused": 1, "changes": 2}
Act = Literal["nothing", "start", "restart", "held"]
Contact = Literal["looked at", "not asked", "unreachable", "failed"]


class StagePlan(Value, frozen=True, kw_only=True):
    """One stage with something to do. `follows` = operations that the changes will set off."""

    stage: str
    disruption: Disruption
    changes: tuple[str, ...]
    follows: tuple[str, ...] = ()


class Part(Value, frozen=True, kw_only=True):
    """What a part of a GPU's memory goes to."""

    name: str
    bytes: int


class Memory(Value, frozen=True, kw_only=True):
    """The memory of the GPU that decides, as the engine will share it out.

    `fits` is "unsure" when it would by the sum, but not when that is off by `doubt`. `tokens` = KV
    capacity as the engine will print it; `requests` of the wanted context that it holds at once.
    `nearest` = configurations that fit where this one does not. `drawn` = weights reckoned from
    config.json, for no header of a safetensors file was at hand.
    """

    fits: Literal["yes", "unsure", "no"]
    reason: str
    message: str
    gpus: int
    card: str
    total: int
    parts: tuple[Part, ...]
    left: int
    doubt: int
    tokens: int
    requests: float
    nearest: tuple[str, ...] = ()
    drawn: bool = False

    @property
    def taken(self) -> int:
        """Bytes that the engine uses: all but its reserve and what is left."""
        return sum(part.bytes for part in self.parts if part.name != "reserve")


class Strategy(Value, frozen=True, kw_only=True):
    """How the engine is changed, and why so."""

    kind: Literal["rolling", "blue/green", "swap", "reload"]
    reason: str
    message: str


class Gap(Value, frozen=True, kw_only=True):
    """For how long an engine does not answer: an estimate.

    `load` is None when the size of the weights is not known. `felt` = clients have nobody else.
    """

    drain_at_most: float
    load: float | None
    felt: bool
    message: str


class EnginePlan(Value, frozen=True, kw_only=True):
    """One engine. `act` None = not known. `strategy` and `gap` None = it is not changed."""

    name: str
    kind: str
    model: str
    revision: str
    served: str
    gpus: int
    act: Act | None
    memory: Memory | None
    strategy: Strategy | None
    gap: Gap | None
    warnings: tuple[str, ...] = ()


class Download(Value, frozen=True, kw_only=True):
    """Weights that are not on the host, or not known to be. `bytes` None = not known.

    `source`: where the size is from. "config" is a reckoning.
    """

    repo: str
    commit: str
    bytes: int | None
    source: Literal["lock", "headers", "config", "unknown"]


class FoundWeights(Value, frozen=True, kw_only=True):
    """Weights of a wanted commit in a container's cache of the Hub at `cache`.

    `missing` = bytes to be downloaded all the same; None = not known, for no lock tells all files.
    `inside`: the cache is part of the container, and goes with it.
    """

    repo: str
    commit: str
    cache: str
    bytes: int
    missing: int | None
    inside: bool = False


class Takeover(Value, frozen=True, kw_only=True):
    """A container of somebody else that the deploy stops and removes.

    `engine` follows it; `secrets` are names of variables and flags that hold one. `unit` starts it
    now, and is disabled; `project` = of Compose, which would start it again. `stop_at_most` in
    seconds. `shaken`: Docker's packages are replaced under it, so it may end before it is stopped.
    """

    container: str
    image: str
    running: bool
    ports: tuple[str, ...]
    gpus: str
    secrets: tuple[str, ...]
    unit: str
    project: str
    engine: str | None
    weights: tuple[FoundWeights, ...]
    stop_at_most: int
    shaken: bool = False


class Gpus(Value, frozen=True, kw_only=True):
    """The GPUs of a host; `card` None = nobody knows what they are; "found" = by their PCI id."""

    count: int
    card: str | None
    source: Literal["declared", "reported", "found", "unknown"]


class DriverPlan(Value, frozen=True, kw_only=True):
    """The driver that a host gets, or has and keeps (`adopted`); empty = not known, or no matter.

    `flavour` = of the kernel module; `version` empty = the newest of the branch.
    """

    branch: str
    flavour: str
    version: str
    adopted: bool
    message: str


class DriverMove(Value, frozen=True, kw_only=True):
    """A driver that is there, and moves. `packages` as apt simulates it; `problem` = why not.

    Empty `packages` without a problem: what is installed is right, and has to be loaded.
    """

    why: str
    reboot: bool
    packages: tuple[PackageMove, ...] = ()
    problem: str = ""


class HostPlan(Value, frozen=True, kw_only=True):
    """One host. `problems` refuse the deploy; `stages` None = what would change is not known.

    `driver` None = it gets none. `driver_move` None = it stays, or there is none to be moved.
    `roles` = what the host is beside a node with engines.
    """

    name: str
    contact: Contact
    roles: tuple[str, ...] = ()
    gpus: Gpus
    disruption: Disruption | None
    driver: DriverPlan | None = None
    driver_move: DriverMove | None = None
    problems: tuple[str, ...] = ()
    stages: tuple[StagePlan, ...] | None = None
    engines: tuple[EnginePlan, ...] = ()
    downloads: tuple[Download, ...] = ()
    takeovers: tuple[Takeover, ...] = ()
    warnings: tuple[str, ...] = ()


class Plan(Value, frozen=True, kw_only=True):
    """The whole document. `refused` = what is wrong with the inventory as a whole."""

    schema: int = SCHEMA
    inventory: str
    offline: bool
    verdict: Verdict
    refused: tuple[str, ...] = ()
    hosts: tuple[HostPlan, ...] = ()


def plan(
    inventory: str, hosts: tuple[HostPlan, ...], refused: tuple[str, ...] = (), *, offline: bool
) -> Plan:
    """Put it together; what is not known to be nothing counts as changes."""
    verdict: Verdict = "nothing"
    if any(host.stages is None or host.stages for host in hosts):
        verdict = "changes"
    if refused or any(host.problems for host in hosts):
        verdict = "refused"
    return Plan(inventory=inventory, offline=offline, verdict=verdict, refused=refused, hosts=hosts)
