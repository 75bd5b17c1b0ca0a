"""What is exported: one model, as all hosts of the inventory serve it. Pure."""

import hashlib
import re
from collections.abc import Mapping

import msgspec

from agent.engine_spec import EngineSpec
from agent.scaling_spec import ScalingSpec
from agent.spec import HostSpec, ModelSpec
from fleet.scaling.replicas import wishes

LONGEST = 40  # characters; names of pods add to it, and may have 63
PLAIN = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
OF_THE_HOST = {"port"}  # settings that mean nothing in a pod


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """One model. `replicas` engines serve it now; `name` is that of its objects."""

    served: str
    name: str
    engine: EngineSpec
    model: ModelSpec
    scaling: ScalingSpec
    replicas: int
    batch: int
    kept: int

    @property
    def most(self) -> int:
        """How many replicas there may be."""
        return self.scaling.max or max(self.replicas, self.scaling.min)


def of(specs: Mapping[str, HostSpec]) -> tuple[list[Exported], list[str]]:
    """Return the models in inventory order, and a sentence for each that cannot be exported."""
    scaling, faults = wishes(specs)
    found: dict[str, Exported] = {}
    firsts: dict[str, str] = {}
    for host, spec in specs.items():
        for engine in spec.engines.values():
            served = engine.name_served
            known = found.get(served)
            if known is None:
                firsts[served] = host
                found[served] = Exported(
                    served=served,
                    name=name(served),
                    engine=engine,
                    model=spec.model,
                    scaling=scaling[served],
                    replicas=1,
                    batch=spec.rollout.batch,
                    kept=spec.rollout.keep,
                )
                continue
            found[served] = msgspec.structs.replace(known, replicas=known.replicas + 1)
            differ = _differences(known.engine, engine)
            if differ:
                faults.append(
                    f"{served}: {firsts[served]} and {host} serve it with different "
                    f"{', '.join(differ)}; a Deployment has one template: name with --limit the "
                    "hosts that are right"
                )
    faults += _clashes(found)
    return list(found.values()), faults


def name(served: str) -> str:
    """Return a name that every object may have (RFC 1123), the same for the same model."""
    if PLAIN.fullmatch(served) and len(served) <= LONGEST:
        return served
    tail = hashlib.sha256(served.encode()).hexdigest()[:6]
    words = re.findall(r"[a-z0-9]+", served.rpartition("/")[2].lower())
    head = "-".join(words if words and words[0][0].isalpha() else ["m", *words])
    return f"{head[: LONGEST - 7].rstrip('-')}-{tail}"


def _differences(one: EngineSpec, other: EngineSpec) -> list[str]:
    return [
        field
        for field in one.__struct_fields__
        if field not in OF_THE_HOST and getattr(one, field) != getattr(other, field)
    ]


def _clashes(found: Mapping[str, Exported]) -> list[str]:
    owners: dict[str, str] = {}
    return [
        f"{served}: its objects would have the name of those of {owners[one.name]}: {one.name}"
        for served, one in found.items()
        if owners.setdefault(one.name, served) != served
    ]
