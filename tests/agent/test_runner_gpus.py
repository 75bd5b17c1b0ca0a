"""Which GPUs a runner takes: those that are well, and fewer where that is allowed."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.gpus import Gpu
from agent.outs import Placement
from agent.reports import ExitClass
from agent.runner.course import Asked
from agent.spec import weights_path
from tests.agent.test_runner import Stage
from tests.sandbox.models.tiny import make_tiny

GIB = 1024**3
H100 = Gpu(uuid="", bus="", name="NVIDIA H100 80GB HBM3", memory=80 * GIB, capability=90)


def cards(*numbers: int, **facts: object) -> tuple[Gpu, ...]:
    return tuple(replace(H100, uuid=f"GPU-{n}", bus=f"0000:0{n}:00.0", **facts) for n in numbers)


def stage(path: Path, *, gpus: int = 2, **more: object) -> Stage:
    """A host with engines `main` and `other`, which wants 2 GPUs; main's model has 8 heads."""
    made = Stage(path, gpus=gpus, **more)
    directory = Path(weights_path(made.spec.model, made.engine))
    make_tiny(directory)
    configure(made, num_attention_heads=8, max_position_embeddings=8192)
    return made


def configure(one: Stage, **changes: object) -> None:
    file = Path(weights_path(one.spec.model, one.engine)) / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def taken(one: Stage) -> tuple[str, ...] | None:
    one.live()
    return one.started.gpus if one.started else None


def test_a_gpu_that_is_out_of_service_is_not_taken(tmp_path: Path) -> None:
    one = stage(tmp_path)
    one.gpus = lambda: cards(0, 1, 2, 3, 4)
    one.placement = Placement(out=frozenset({"GPU-1"}))
    assert taken(one) == ("GPU-0", "GPU-2")


@pytest.mark.parametrize(
    ("well", "shrink", "expected"),
    [
        (range(8), True, 8),
        (range(7), True, 4),
        (range(3), True, 2),
        (range(1), True, 1),
        (range(7), False, None),
        (range(0), True, None),
    ],
)
def test_it_shrinks_to_the_largest_degree_that_is_allowed(
    tmp_path: Path, well: range, shrink: bool, expected: int | None
) -> None:
    one = stage(tmp_path, gpus=8, shrink=shrink)
    one.gpus = lambda: cards(*range(8))
    one.placement = Placement(out=frozenset({f"GPU-{n}" for n in range(8) if n not in well}))
    found = taken(one)
    assert (found and len(found)) == expected
    smaller = expected is not None and expected < 8
    assert any(f"serving on {expected} of them" in said for said in one.said) is smaller
    if expected is not None:
        created = one.dockerd.created
        assert created is not None
        command = [*created["command"], ""]
        assert f"{expected}" == command[command.index("--tensor-parallel-size") + 1]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, 4),
        ({"memory": 24 * GIB, "name": "NVIDIA L4", "capability": 89}, 4),
        ({"memory": 2 * GIB}, None),  # less than NCCL and CUDA graphs take
        ({"memory": None}, None),
        ({"capability": None}, None),
        (
            {"memory": 15 * GIB, "name": "Tesla T4", "capability": 75},
            None,
        ),  # the model is in bfloat16
    ],
)
def test_what_does_not_fit_on_fewer_is_not_started_there(
    tmp_path: Path, facts: dict[str, object], expected: int | None
) -> None:
    one = stage(tmp_path, gpus=8, shrink=True)
    one.gpus = lambda: cards(*range(7), **facts)
    found = taken(one)
    assert (found and len(found)) == expected
    one = stage(tmp_path / "enough", gpus=8, shrink=True)
    one.gpus = lambda: cards(*range(8), **facts)
    assert len(taken(one) or ()) == 8  # nobody asks the planner there


def test_the_smallest_of_the_free_gpus_decides(tmp_path: Path) -> None:
    one = stage(tmp_path, gpus=4, shrink=True)
    one.gpus = lambda: (*cards(0, 1), *cards(2, memory=2 * GIB))
    assert taken(one) is None
    one = stage(tmp_path / "held", gpus=4, shrink=True)
    one.gpus = lambda: (*cards(0, 1), *cards(2, memory=2 * GIB))
    one.dockerd.held["other"] = ("GPU-2",)
    assert taken(one) == ("GPU-0", "GPU-1")


def test_a_model_that_the_planner_cannot_make_out_is_said(tmp_path: Path) -> None:
    one = stage(tmp_path, gpus=8, shrink=True)
    configure(one, hidden_size="wide")
    one.gpus = lambda: cards(*range(7))
    report = one.live()
    assert (report.kind, report.reason) == (ExitClass.GPU, "TooFewGpus")
    assert "it is not known to fit on fewer" in report.message
    assert any("config.json lacks or garbles" in said for said in one.said)


def test_with_too_few_the_report_says_so(tmp_path: Path) -> None:
    one = stage(tmp_path, gpus=2)
    one.gpus = lambda: cards(0, 1)
    one.placement = Placement(out=frozenset({"GPU-1"}))
    report = one.live()
    assert (report.kind, report.reason) == (ExitClass.GPU, "TooFewGpus")
    assert "fewer" not in report.message  # it may not shrink


@pytest.mark.parametrize("lost", ["out", "gone"])
@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ((0, 1, 2), ("GPU-1", "GPU-2")),  # main's own
        ((0, 1, 2, 4), ("GPU-1", "GPU-2")),
    ],
)
def test_the_loss_of_another_engines_gpu_is_not_ours(
    tmp_path: Path, lost: str, present: tuple[int, ...], expected: tuple[str, ...]
) -> None:
    """`aaa` comes first by name and has lost GPU-3; main is to come back on what it had."""
    one = stage(tmp_path)
    held = {"aaa": ("GPU-0", "GPU-3"), "main": ("GPU-1", "GPU-2")}
    out = frozenset({"GPU-3"} if lost == "out" else ())
    one.gpus = lambda: cards(*present, *([3] if lost == "out" else []))
    one.placement = Placement(out=out, held=held)
    assert taken(one) == expected


def test_what_two_engines_have_had_either_may_have(tmp_path: Path) -> None:
    one = stage(tmp_path)
    one.gpus = lambda: cards(0, 1)
    both = ("GPU-0", "GPU-1")
    one.placement = Placement(held={"main": both, "other": both})
    assert taken(one) == both


def test_what_runs_keeps_what_it_has_whatever_it_had_last(tmp_path: Path) -> None:
    one = stage(tmp_path)
    one.gpus = lambda: cards(0, 1, 2, 3)
    one.placement = Placement(held={"other": ("GPU-2", "GPU-3"), "main": ("GPU-0", "GPU-1")})
    one.dockerd.held["other"] = ("GPU-0", "GPU-1")
    assert taken(one) == ("GPU-2", "GPU-3")


def test_in_haste_it_is_killed_after_a_moment(tmp_path: Path) -> None:
    one = stage(tmp_path)
    one.gpus = lambda: cards(0, 1)
    one.inbox.events = [Asked(haste=True)]
    one.ended_after("SIGKILL", 137)
    began = one.inbox.now()
    assert one.live().kind is ExitClass.ASKED
    assert one.inbox.now() - began < 5
    assert any("SIGKILL after 2 s" in said for said in one.said)
