"""Values to plan with."""

from typing import Any

from agent.planner import blueprint
from agent.planner.checkpoint import Checkpoint
from fleet.facts.bare import Bare, Reported
from fleet.facts.nvidia import Device, Nvidia
from fleet.plan.document import Memory, Part
from fleet.plan.known import Known
from fleet.plan.seen import Given
from fleet.plan.stages import DISRUPTIONS
from tests.fleet.samples import ENGINE
from tests.planner import configs

GIB = 1 << 30
KEY = (str(ENGINE["engine_model"]), str(ENGINE["engine_revision"]))
LLAMA = "llama-3.3-70b"
ROOT = "/var/lib/stoker/models"
H100 = Reported("NVIDIA H100 80GB HBM3", 81559, "9.0")


def checkpoint(name: str = LLAMA) -> Checkpoint:
    return blueprint.draw(KEY[0], configs.config(name))


def memory(share: float = 0.9, **changes: Any) -> Memory:
    """A GPU of 80 GiB, of which the engine takes a share."""
    given: dict[str, Any] = {
        "fits": "yes",
        "reason": "Fits",
        "message": "it fits",
        "gpus": 1,
        "card": "H100-SXM",
        "total": 80 * GIB,
        "parts": (
            Part(name="weights", bytes=10 * GIB),
            Part(name="KV cache", bytes=int(share * 80 * GIB) - 10 * GIB),
            Part(name="reserve", bytes=80 * GIB - int(share * 80 * GIB)),
        ),
        "left": 0,
        "doubt": GIB,
        "tokens": 1000,
        "requests": 2.0,
    }
    return Memory(**{**given, **changes})


def known(**problems: str) -> Known:
    """The sample engine's model is known, unless a problem is given."""
    if problems:
        return Known(checkpoints={}, problems={KEY: problems["problem"]})
    return Known(checkpoints={KEY: checkpoint()}, problems={})


def given(serves: tuple[str, ...] = ("gpu-1",), **problems: str) -> Given:
    return Given(known=known(**problems), declared=DISRUPTIONS, serves={KEY[0]: serves})


def bare(**changes: Any) -> Bare:
    fit: dict[str, Any] = {
        "os": "debian-13",
        "machine": "x86_64",
        "python": "3.13",
        "nvidia": Nvidia(gpus=(Device("0000:06:00.0", "2330"),)),
        "cards": (H100,),
        "free": {ROOT: 1000 * GIB},
    }
    return Bare(**{**fit, **changes})
