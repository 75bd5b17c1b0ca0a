"""The objects of one model as a file, with what a reader has to know first. Pure."""

import msgspec

from agent.engines import ENGINES
from agent.engines.assembly import PROCESSES
from fleet.kubernetes import objects, scaler, weights
from fleet.kubernetes.models import Exported
from fleet.kubernetes.values import CLIENT, MONITORING, SECRET, SECRET_KEY, Json

VALUES = "prometheus-adapter-values.yaml"
NOT_CARRIED = """\
# What Stoker does on its hosts and these objects do not:
# - Nobody listens to the driver. An Xid, a GPU that is lost or a link that is down drains nothing,
#   and no faulty GPU is kept out of use. NVIDIA's GPU operator and a problem detector do parts.
# - A hang is not found: the probes ask {health}, which tells nothing of progress. There is no
#   restart budget, and no quarantine.
# - Weights are downloaded at the pinned commit and are not checked against models.lock.
# - No gateway: no TLS, no API keys, no limits, no list of paths, no errors in OpenAI's shape. Put
#   one in front; whoever may reach the Service may use the model.
# - Ready is {health}, not a completion that was answered. No gate closes within milliseconds.
# - At most {processes} processes an engine: set podPidsLimit of the kubelet. What the engine
#   compiled is lost with its pod, and compiled again."""


def of_adapter(kinds: set[str]) -> str:
    """Return the rules of the adapter as the values of its chart."""
    return (
        "# Values of the chart prometheus-community/prometheus-adapter: it offers the queues to\n"
        "# the HPAs. Without Helm: what is below `custom` goes below `rules` of its config.yaml.\n"
        f"{_yaml(scaler.adapter_values(kinds))}"
    )


def of_model(model: Exported, claim: str | None, gib: int) -> str:
    """Return everything of one model; `gib` is the size of a volume of its own."""
    made = objects_of(model, claim, gib)
    return "---\n".join([_head(model, claim), *(_yaml(one) for one in made)])


def objects_of(model: Exported, claim: str | None, gib: int) -> list[Json]:
    """Return the objects in the order in which they should be made."""
    volume = [] if claim is not None else [weights.volume_claim(model, gib)]
    return [
        *volume,
        objects.network_policy(model, claim),
        objects.service(model),
        objects.deployment(model, claim),
        objects.disruption_budget(model),
        objects.pod_monitor(model),
        scaler.autoscaler(model),
    ]


def _head(model: Exported, claim: str | None) -> str:
    engine = model.engine
    health = ENGINES[engine.kind].health_path
    lines = [
        f"# {model.served}: {engine.kind} serves {engine.model}",
        f"# at {engine.revision}.",
        "# Written by `stoker export kubernetes`; the same inventory gives the same file.",
        f"# The inventory has {model.replicas} replica(s). {_limits(model)}",
        "#",
        NOT_CARRIED.format(health=health, processes=engine.pids or PROCESSES * max(1, engine.gpus)),
        "#",
        "# Before it is applied:",
        *_weights(model, claim),
        f'# - Pods that may ask it carry the label {CLIENT}: "true". Prometheus lives in the',
        f"#   namespace {MONITORING}; the adapter's rules are in {VALUES}.",
        "# - Machines need NVIDIA's device plugin; Kubernetes 1.34 or later (preStop sleep).",
    ]
    return "\n".join(lines) + "\n"


def _limits(model: Exported) -> str:
    if model.scaling.max is None:
        return "scaling_max is not set: the HPA adds none to them."
    return f"The HPA keeps {model.scaling.min} to {model.scaling.max}."


def _weights(model: Exported, claim: str | None) -> list[str]:
    if claim is not None:
        return [
            f"# - The claim {claim} holds the weights as ORGANISATION--NAME/COMMIT/, as they lie",
            f"#   below {model.model.root} of a host.",
        ]
    secret = f"kubectl create secret generic {SECRET} --from-file={SECRET_KEY}=FILE"
    need = "needs" if model.model.token_file else "is public, or needs"
    return [
        "# - The volume must be one that several machines can write to (ReadWriteMany).",
        f"# - The model {need} a token of the Hub:",
        f"#   {secret}",
    ]


def _yaml(value: Json) -> str:
    return msgspec.yaml.encode(value).decode()
