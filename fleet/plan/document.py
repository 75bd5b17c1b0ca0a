"""The plan as values: what `stoker plan --json` prints. Sizes in bytes, times in seconds."""

from typing import Literal

from agent.model import Value
from fleet.disruption import Disruption

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

    kind: Literal["rolling", "blue/green", "swap"]
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


class Gpus(Value, frozen=True, kw_only=True):
    """The GPUs of a host; `card` None = nobody knows what they are."""

    count: int
    card: str | None
    source: Literal["declared", "reported", "unknown"]


class HostPlan(Value, frozen=True, kw_only=True):
    """One host. `problems` refuse the deploy; `stages` None = what would change is not known."""

    name: str
    contact: Contact
    gpus: Gpus
    disruption: Disruption | None
    problems: tuple[str, ...] = ()
    stages: tuple[StagePlan, ...] | None = None
    engines: tuple[EnginePlan, ...] = ()
    downloads: tuple[Download, ...] = ()
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
