"""What `stoker status` knows of the nodes: the parts of their documents that it shows.

Hosts may have other versions of Stoker than this machine, so only what is shown is read.
"""

from msgspec import Struct

from agent.releases import Release


class State(Struct, frozen=True):
    """Where an engine is in its life; `since` seconds since 1970."""

    phase: str
    reason: str = ""
    message: str = ""
    since: float = 0.0
    by: str = ""


class Engine(Struct, frozen=True):
    """One engine; None = not known."""

    state: State
    kind: str = ""
    model: str = ""
    served_name: str = ""
    requests_running: int | None = None
    requests_waiting: int | None = None
    gpus: tuple[str, ...] = ()
    digest: str = ""
    running_digest: str | None = None
    gate_problem: str = ""

    @property
    def serving(self) -> bool:
        """Whether new requests get through."""
        return self.state.phase == "SERVING" and not self.gate_problem

    @property
    def old(self) -> bool:
        """Whether it runs with settings that are no longer the wanted ones."""
        return self.running_digest not in {None, self.digest}


class Gpus(Struct, frozen=True):
    """The GPUs of a node, of which only the number is shown."""

    gpus: tuple[dict[str, object], ...] = ()


class Snapshot(Struct, frozen=True):
    """The agent's status; `at` seconds since 1970, by the clock of the node."""

    node: str
    phase: str
    at: float
    roles: tuple[str, ...] = ()
    engines: dict[str, Engine] = {}
    gpus: Gpus | None = None
    gpus_problem: str = ""
    incidents: tuple[dict[str, object], ...] = ()
    version: str = ""


class Found(Struct, frozen=True):
    """One finding of a check for drift; `left` empty = it was put right."""

    stage: str = ""
    operation: str = ""
    left: str = ""


class LastDrift(Struct, frozen=True):
    """The last check for drift; `at` seconds since 1970."""

    at: float
    findings: tuple[Found, ...] = ()
    problem: str = ""

    @property
    def left(self) -> int:
        """How many things still differ."""
        return sum(bool(one.left) for one in self.findings)


class LockHolder(Struct, frozen=True):
    """Who is at the node now."""

    by: str
    reason: str = ""
    since: float = 0.0
    expires: float = 0.0


class Node(Struct, frozen=True, kw_only=True):
    """One host. `problem` = why it, or its agent, says nothing; `late` = age of its snapshot, s."""

    problem: str = ""
    agent: Snapshot | None = None
    releases: tuple[Release, ...] = ()
    drift: LastDrift | None = None
    lock: LockHolder | None = None
    maintenance: str = ""
    late: float = 0.0

    @property
    def engines(self) -> dict[str, Engine]:
        """Its engines, by name; none when its agent says nothing."""
        return self.agent.engines if self.agent else {}

    @property
    def roles(self) -> tuple[str, ...]:
        """What it is beside a node with engines."""
        return self.agent.roles if self.agent else ()

    @property
    def release(self) -> str:
        """The id of its current release; empty before the first."""
        return next((one.about.id for one in self.releases if one.current), "")


class Fleet(Struct, frozen=True, kw_only=True):
    """What `--json` prints: each host in the order of the inventory."""

    inventory: str
    nodes: dict[str, Node]
