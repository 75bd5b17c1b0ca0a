"""Rolling where several hosts serve the model, else whether a second copy fits decides."""

import pytest

from fleet.plan.document import Memory
from fleet.plan.strategy import CARRIED_OUT, choose
from tests.fleet.plan.samples import memory
from tests.fleet.samples import spec

ALL = {"rolling", "blue/green", "swap"}


@pytest.mark.parametrize(
    ("gpus", "others", "free", "found", "kind", "reason"),
    [
        (2, ("gpu-2",), 0, memory(), "rolling", "OtherHostsServe"),
        (2, ("gpu-2",), 8, memory(), "rolling", "OtherHostsServe"),
        (2, (), 2, memory(), "blue/green", "SecondFits"),
        (2, (), 1, memory(), "swap", "NoRoomForSecond"),
        (2, (), 0, None, "swap", "NoRoomForSecond"),
        (1, (), 0, memory(0.5), "blue/green", "SecondFits"),
        (1, (), 0, memory(0.51), "swap", "NoRoomForSecond"),
        (0, (), 4, None, "swap", "NoRoomForSecond"),
    ],
)
def test_the_choice(
    gpus: int, others: tuple[str, ...], free: int, found: Memory | None, kind: str, reason: str
) -> None:
    engine = spec(driver_gpu_count=8, engine_gpus=gpus).engines["main"]
    chosen = choose(engine, others, free, found, ALL)
    assert (chosen.kind, chosen.reason) == (kind, reason)


def test_what_a_deploy_cannot_do_is_not_promised() -> None:
    engine = spec().engines["main"]
    chosen = choose(engine, (), 1, memory(), CARRIED_OUT)
    assert chosen.kind == "swap"
    assert chosen.message == (
        "no other host serves this model; a second copy would fit on 1 free GPU(s), but a deploy "
        "does not start one yet"
    )


def test_it_says_why_a_second_copy_does_not_fit() -> None:
    engine = spec(driver_gpu_count=3, engine_gpus=2).engines["main"]
    assert choose(engine, (), 1, memory()).message.endswith("1 GPU(s) are free, 2 are needed")


@pytest.mark.parametrize(
    ("at_once", "kind", "said"),
    [
        (1, "rolling", "3 hosts serve this model and change one at a time"),
        (2, "rolling", "3 hosts serve this model and change 2 at a time"),
        (3, "swap", "all 3 hosts that serve this model change at once"),
    ],
)
def test_how_many_at_once_is_the_operators_to_say(at_once: int, kind: str, said: str) -> None:
    engine = spec().engines["main"]
    chosen = choose(engine, ("gpu-2", "gpu-3"), 0, memory(), at_once=at_once)
    assert chosen.kind == kind
    assert chosen.message.startswith(said)
