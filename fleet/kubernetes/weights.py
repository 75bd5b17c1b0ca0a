"""Where a pod has its weights from: a volume that is filled by an init container, or beforehand."""

from collections.abc import Iterator

from agent.engine_spec import folder
from agent.engines import room
from agent.spec import EngineSpec, ModelSpec
from agent.weights import plan
from fleet.kubernetes.models import Exported
from fleet.kubernetes.values import SECRET, SECRET_KEY, WEIGHTS, Json, literal, metadata, variables

HUB = "https://huggingface.co"
# TGI's image has huggingface_hub 0.30, which does not know `hf` yet; the others have 1.x or later,
# which does not know the old name any more.
PROGRAMS = {"tgi": "huggingface-cli", "vllm": "hf", "sglang": "hf"}


def claim(model: Exported) -> str:
    """Return the name of the claim that is rendered."""
    return f"{model.name}-weights"


def volume_claim(model: Exported, gib: int) -> Json:
    """Render a claim that all replicas share."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(claim(model), labels=metadata(model.name)["labels"]),
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": f"{gib}Gi"}},
        },
    }


def downloads(model: Exported, security: Json) -> list[Json]:
    """Render an init container for each repository; what is there already is not fetched again."""
    return [
        {
            "name": f"weights-{number}",
            "image": model.engine.image,
            "command": list(_command(model.engine, repository, commit)),
            "env": _environment(model.model),
            "securityContext": security,
            "volumeMounts": [
                {"name": "weights", "mountPath": WEIGHTS},
                {"name": "cache", "mountPath": room.CACHE},
                # The same place as in the engine's container.
                {"name": "tmp-0", "mountPath": "/tmp"},  # noqa: S108
            ],
        }
        for number, (repository, commit) in enumerate(model.engine.repositories)
    ]


def _command(engine: EngineSpec, repository: str, commit: str) -> Iterator[str]:
    yield from (PROGRAMS[engine.kind], "download", literal(repository), "--revision", commit)
    yield from ("--local-dir", f"{WEIGHTS}/{literal(folder(repository, commit))}")
    for flag, patterns in (
        ("--include", plan.patterns(code=engine.trust_remote_code)),
        ("--exclude", plan.IGNORE),
    ):
        if PROGRAMS[engine.kind] == "hf":  # takes one pattern a flag, the older one all at once
            for pattern in patterns:
                yield from (flag, pattern)
        else:
            yield from (flag, *patterns)


def _environment(model: ModelSpec) -> list[Json]:
    plain = {"HOME": room.CACHE, "HF_HOME": f"{room.CACHE}/huggingface"}
    if model.hub.rstrip("/") != HUB:
        plain["HF_ENDPOINT"] = model.hub
    plain["HF_HUB_DISABLE_TELEMETRY"] = "1"
    reference = {"name": SECRET, "key": SECRET_KEY, "optional": not model.token_file}
    return [*variables(plain), {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}}]
