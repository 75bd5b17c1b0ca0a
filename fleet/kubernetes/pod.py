"""The pod of one engine: what the runner gives to its container, in Kubernetes' words. Pure."""

import math
from pathlib import PurePosixPath

from agent.engine_spec import folder
from agent.engines import ENGINES, room
from agent.engines.base import Container
from fleet.kubernetes import weights
from fleet.kubernetes.models import Exported
from fleet.kubernetes.probes import probes
from fleet.kubernetes.values import GPU, HTTP, LEAVE, WEIGHTS, Json, labels, literal, variables

GIB = 1 << 30


def template(model: Exported, claim: str | None) -> Json:
    """Render the pod; `claim` names a volume that is filled, None = the pod fills ours itself."""
    container = _container(model)
    security = _security(container)
    uid, _, gid = container.user.partition(":")
    spec: Json = {
        # A service called like an engine would set variables that the engine reads.
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        # The engine must not be process 1; see `Container.init`.
        "shareProcessNamespace": container.init,
        "securityContext": {
            "runAsUser": int(uid),
            "runAsGroup": int(gid),
            "runAsNonRoot": int(uid) != 0,
            "fsGroup": int(gid),
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": grace(model),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels(model.name)},
            }
        ],
        "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
        "initContainers": weights.downloads(model, security),
        "containers": [_engine(model, container, security)],
        "volumes": _volumes(model, container, claim),
    }
    if claim is not None:
        del spec["initContainers"]
    if not model.engine.gpus:
        del spec["tolerations"]
    return {"metadata": {"labels": labels(model.name)}, "spec": spec}


def grace(model: Exported) -> int:
    """Return the seconds from the wish to stop until SIGKILL."""
    return LEAVE + math.ceil(ENGINES[model.engine.kind].stop_deadline(model.engine))


def _container(model: Exported) -> Container:
    engine = model.engine
    path = f"{WEIGHTS}/{folder(engine.model, engine.revision)}"
    return ENGINES[engine.kind].container(engine, path, ["GPU"] * engine.gpus)


def _engine(model: Exported, container: Container, security: Json) -> Json:
    adapter = ENGINES[model.engine.kind]
    made: Json = {
        "name": "engine",
        "image": container.image,
        "args": [literal(word) for word in container.command],
        "env": variables(container.environment),
        "ports": [{"name": HTTP, "containerPort": container.port}],
        "resources": _resources(model, container),
        **probes(adapter, model.engine),
        "lifecycle": {"preStop": {"sleep": {"seconds": LEAVE}}},
        "securityContext": security,
        "volumeMounts": _mounts(container),
    }
    if container.directory is not None:
        made["workingDir"] = container.directory
    return made


def _security(container: Container) -> Json:
    capabilities: Json = {"drop": ["ALL"]}
    if container.capabilities:
        capabilities["add"] = list(container.capabilities)
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": capabilities,
        "readOnlyRootFilesystem": container.read_only,
    }


def _resources(model: Exported, container: Container) -> Json:
    limits: Json = {}
    if model.engine.gpus:
        limits[GPU] = str(model.engine.gpus)
    if container.memory_bytes:
        limits["memory"] = f"{container.memory_bytes // GIB}Gi"
    return {"limits": limits, "requests": dict(limits)}


def _mounts(container: Container) -> list[Json]:
    found: list[Json] = [
        {
            "name": "weights",
            "mountPath": mount.target,
            "subPath": str(PurePosixPath(mount.source).relative_to(WEIGHTS)),
            "readOnly": mount.read_only,
        }
        for mount in container.mounts
    ]
    found.append({"name": "cache", "mountPath": room.CACHE})
    found.append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 - in the container
    found += [
        {"name": f"tmp-{number}", "mountPath": path} for number, path in enumerate(container.tmpfs)
    ]
    return found


def _volumes(model: Exported, container: Container, claim: str | None) -> list[Json]:
    source: Json = {"claimName": claim or weights.claim(model)}
    if claim is not None:
        source["readOnly"] = True
    shm = f"{container.shm_bytes // GIB}Gi"
    return [
        {"name": "weights", "persistentVolumeClaim": source},
        {"name": "cache", "emptyDir": {}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": shm}},
        *({"name": f"tmp-{number}", "emptyDir": {}} for number in range(len(container.tmpfs))),
    ]
