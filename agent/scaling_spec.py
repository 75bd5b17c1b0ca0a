"""When a model wants more, or fewer, engines: a section of `HostSpec`; see `agent.spec`.

The words and the defaults are those of a Kubernetes HPA, whose arithmetic `fleet/scaling/` does:
https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/
"""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, field
from msgspec.structs import replace

from agent.spec_types import Count, Seconds, Section

Requests = Annotated[float, Meta(gt=0, description="waiting requests for each replica, over 0")]
Percent = Annotated[int, Meta(ge=0, description="a whole number of percent, 0 or more")]
Replicas = Annotated[int, Meta(ge=0, description="a whole number, 0 or more")]


class ModelScaling(Section, frozen=True, kw_only=True):
    """What one model wants otherwise than `ScalingSpec` says; None = as that says."""

    target_queue: Requests | None = None
    min: Count | None = None
    max: Count | None = None


class ScalingSpec(Section, frozen=True, kw_only=True):
    """How many engines a model wants, by the requests that wait in them. Durations in seconds."""

    target_queue: Requests = 10.0
    tolerance: Annotated[float, Meta(ge=0, lt=1, description="a share, 0 to less than 1")] = 0.1
    min: Count = 1
    max: Count | None = None
    stabilisation: Annotated[float, Meta(ge=0, description="seconds, 0 or more")] = 300.0
    up_percent: Percent = 100
    up_replicas: Replicas = 4
    up_period: Seconds = 15.0
    down_percent: Percent = 100
    down_period: Seconds = 15.0
    models: dict[str, ModelScaling] = field(default_factory=dict)

    def of(self, model: str) -> "ScalingSpec":
        """Return what holds for the model that clients call so."""
        own = self.models.get(model, ModelScaling())
        return replace(
            self,
            target_queue=own.target_queue or self.target_queue,
            min=own.min or self.min,
            max=own.max or self.max,
            models={},
        )

    def share(self, model: str, waiting: int | None) -> float | None:
        """Return how many replicas the requests that wait in one engine ask for; None = unknown."""
        return None if waiting is None else waiting / self.of(model).target_queue


def faults(scaling: ScalingSpec) -> Iterator[str]:
    """Yield one sentence for each wish that cannot be met."""
    for model in ("", *scaling.models):
        wish = scaling.of(model)
        if wish.max is not None and wish.max < wish.min:
            where = f"scaling_models[{model!r}]" if model else "scaling_min, scaling_max"
            yield (
                f"{where}: min = {wish.min} is more than max = {wish.max}; raise max or lower min"
            )
    if not scaling.up_percent and not scaling.up_replicas:
        yield "scaling_up_percent, scaling_up_replicas: both are 0, so nothing could ever be added"
    if not scaling.down_percent:
        yield "scaling_down_percent = 0: nothing could ever be taken away; expected 1 to 100"
    if scaling.down_percent > 100:
        yield f"scaling_down_percent = {scaling.down_percent}: expected 1 to 100"
