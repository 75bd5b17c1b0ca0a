"""Replicas and whole fleets to scale."""

from collections.abc import Sequence

from agent.spec import HostSpec
from fleet.commands.nodes import Engine, Fleet, Node, Snapshot, State
from fleet.scaling.hpa import Replica, Standing
from tests.fleet.samples import ENGINE

READY, UNREADY, MISSING, GONE = (
    Standing.READY,
    Standing.UNREADY,
    Standing.MISSING,
    Standing.GONE,
)


def ready(*queues: int) -> list[Replica]:
    return [
        Replica(host=f"h{n}", engine="main", standing=READY, waiting=queue)
        for n, queue in enumerate(queues)
    ]


def others(standing: Standing, number: int) -> list[Replica]:
    return [Replica(host=f"{standing}{n}", engine="main", standing=standing) for n in range(number)]


def specs(hosts: Sequence[str], **data: object) -> dict[str, HostSpec]:
    return {name: HostSpec.from_data(name, {**ENGINE, **data}) for name in hosts}


def serving(waiting: int | None, phase: str = "SERVING", running: int = 0) -> Node:
    engine = Engine(
        state=State(phase=phase, reason="Test"),
        requests_waiting=waiting,
        requests_running=running,
    )
    return Node(agent=Snapshot(node="n", phase=phase, at=0.0, engines={"main": engine}))


def fleet(**nodes: Node) -> Fleet:
    return Fleet(inventory="prod.py", nodes=dict(nodes))
