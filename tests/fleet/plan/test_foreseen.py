"""Validation and preflight refuse what cannot fit, where the GPU and the model are known."""

from typing import Any

import pytest

from agent.planner.checkpoint import Checkpoint
from fleet.facts.bare import Bare
from fleet.facts.nvidia import Nvidia
from fleet.plan import foreseen
from tests.fleet.plan.samples import KEY, bare, checkpoint
from tests.fleet.samples import spec

NOT_ON_ONE = "engine main: org/model does not fit on 1 × "


def kept(repo: str, commit: str) -> Checkpoint | None:
    return checkpoint() if (repo, commit) == KEY else None


@pytest.mark.parametrize(
    ("data", "begin"),
    [
        ({"driver_gpu_type": "H100-SXM"}, NOT_ON_ONE + "H100-SXM"),
        ({"driver_gpu_type": "H100"}, "driver_gpu_type = 'H100': is not a GPU"),
        ({"driver_gpu_type": None}, None),
        ({"driver_gpu_type": "H100-SXM", "engine_gpus": 4}, None),
        ({"driver_gpu_type": "H100-SXM", "engine_revision": "d" * 40}, None),
    ],
)
def test_validation(data: dict[str, Any], begin: str | None) -> None:
    found = foreseen.faults(spec(driver_gpu_count=8, **data), kept)
    assert [sentence[: len(begin or "")] for sentence in found] == ([begin] if begin else [])


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        (bare(), True),
        (bare(cards=()), True),
        (bare(cards=(), nvidia=Nvidia()), False),
        (None, False),
    ],
)
def test_preflight_goes_by_what_the_driver_reports_or_the_bus_tells(
    found: Bare | None, refused: bool
) -> None:
    sentences = foreseen.unfit(spec(driver_gpu_count=8), found, kept)
    assert [s.startswith(NOT_ON_ONE) for s in sentences] == ([True] if refused else [])


def test_nothing_is_kept_of_what_was_never_read() -> None:
    assert foreseen.faults(spec(driver_gpu_type="H100-SXM")) == []
