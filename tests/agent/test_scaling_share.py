"""What a node says of its own: the share of the replicas that its queue asks for."""

import msgspec
import pytest

from agent.engines.base import Load
from agent.model import EngineState, Phase, Remedy
from agent.scaling_spec import ModelScaling, ScalingSpec
from agent.snapshot import EngineView, view
from agent.sources.engine import EngineReading
from tests.agent.engines.examples import engine
from tests.agent.fakes import look


def shown(reading: EngineReading | None, scaling: ScalingSpec) -> EngineView:
    state = EngineState(phase=Phase.SERVING, since=1.0, reason="Test", message="a test")
    spec = engine("vllm", served_name="chat")
    return view(
        *(spec, state, reading),
        left=3, budget=3, at_once=None, advice=Remedy.NONE, capacity=1.0, scaling=scaling,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("waiting", "share"), [(0, 0.0), (4, 0.5), (12, 1.5), (None, None)]
)  # fmt: skip
def test_the_share_is_the_queue_by_the_target(waiting: int | None, share: float | None) -> None:
    reading = msgspec.structs.replace(look(), load=Load(running=1, waiting=waiting))
    assert shown(reading, ScalingSpec(target_queue=8)).replicas_wanted == share


def test_the_models_own_target_wins() -> None:
    reading = msgspec.structs.replace(look(), load=Load(running=1, waiting=12))
    own = ScalingSpec(target_queue=8, models={"chat": ModelScaling(target_queue=4)})
    assert shown(reading, own).replicas_wanted == 3.0


def test_who_was_not_looked_at_has_none() -> None:
    assert shown(None, ScalingSpec()).replicas_wanted is None
