"""The bodies that travel over the agent's HTTP, beside the snapshot itself. Pure."""

from typing import Annotated

import msgspec
from msgspec import Meta

from agent.model import Condition, Phase, Value
from agent.snapshot import Snapshot
from agent.sources.gpu import Gpu
from agent.xid import bus
from agent.xid.incident import Incident

Actor = Annotated[str, Meta(min_length=1, max_length=100)]
Why = Annotated[str, Meta(min_length=1, max_length=500)]


class Problem(Value, frozen=True, kw_only=True):
    """Why there is no answer, in one sentence."""

    error: str


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Drain, undrain or restart an engine. `by` is a person or a program, not the agent.

    `slot`: if the engine serves, only with a slot of the fleet brake. While none is granted the
    answer is 409, and the agent asks for one as long as this is asked again within 15 s.
    """

    engine: str
    by: Actor
    reason: Why
    slot: bool = False


class Free(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Give back the slot of the fleet brake that this node holds."""

    by: Actor
    reason: Why


class Ack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person has dealt with an incident: it is closed by that person's word."""

    incident: str
    by: Actor
    reason: Why


class Incidents(Value, frozen=True, kw_only=True):
    """Incidents, the closed ones first, each kind oldest first."""

    incidents: tuple[Incident, ...]


class GpuView(Value, frozen=True, kw_only=True):
    """One GPU and all that is about it. `gpu` is None when the driver does not list it (any more).

    `engines` were last started on it; `incidents` are the ids of those that are open.
    """

    uuid: str
    gpu: Gpu | None
    engines: tuple[str, ...]
    conditions: tuple[Condition, ...]
    incidents: tuple[str, ...]


class Gpus(Value, frozen=True, kw_only=True):
    """All GPUs of the node. `problem` says why the driver cannot be read now; "" = it can."""

    driver: str
    problem: str
    gpus: tuple[GpuView, ...]


class EngineSummary(Value, frozen=True, kw_only=True):
    """One engine in short."""

    phase: Phase
    reason: str
    capacity: float
    in_flight: int | None


class Summary(Value, frozen=True, kw_only=True):
    """The node in short: where a stream of events begins.

    `resumed`: the events that follow are those after the `Last-Event-ID` that was sent.
    """

    node: str
    at: float
    phase: Phase
    reason: str
    message: str
    engines: dict[str, EngineSummary]
    incidents: tuple[str, ...]
    resumed: bool


def summary(snapshot: Snapshot, *, resumed: bool) -> Summary:
    """Return the node in short."""
    return Summary(
        node=snapshot.node,
        at=snapshot.at,
        phase=snapshot.phase,
        reason=snapshot.reason,
        message=snapshot.message,
        engines={
            name: EngineSummary(
                phase=engine.state.phase,
                reason=engine.state.reason,
                capacity=engine.capacity,
                in_flight=engine.in_flight,
            )
            for name, engine in snapshot.engines.items()
        },
        incidents=tuple(one.id for one in snapshot.incidents),
        resumed=resumed,
    )


def gpus(snapshot: Snapshot) -> Gpus:
    """Return every GPU that the driver lists, an engine was started on, or a condition is about.

    GPUs that have lost even their UUID cannot be told apart; `/v1/status` shows them.
    """
    reading = snapshot.gpus
    listed = {one.uuid: one for one in (reading.gpus if reading else ()) if one.uuid}
    used = (uuid for engine in snapshot.engines.values() for uuid in engine.state.gpus)
    about = (one.subject for one in snapshot.conditions if one.subject.startswith("gpu:GPU-"))
    known = dict.fromkeys((*listed, *used, *(one.removeprefix("gpu:") for one in about)))
    return Gpus(
        driver=reading.driver if reading else "",
        problem=snapshot.gpus_problem or (reading.error_text if reading else ""),
        gpus=tuple(_gpu(snapshot, uuid, listed.get(uuid)) for uuid in known),
    )


def _gpu(snapshot: Snapshot, uuid: str, gpu: Gpu | None) -> GpuView:
    place = bus.normal(gpu.pci) if gpu else ""
    conditions = tuple(one for one in snapshot.conditions if one.subject == f"gpu:{uuid}")
    engines = snapshot.engines.items()
    return GpuView(
        uuid=uuid,
        gpu=gpu,
        engines=tuple(name for name, engine in engines if uuid in engine.state.gpus),
        conditions=conditions,
        incidents=tuple(one.id for one in snapshot.incidents if place and one.gpu == place),
    )
