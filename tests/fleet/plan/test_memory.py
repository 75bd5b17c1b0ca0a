"""What the planner is asked, and the one sentence that refuses."""

from typing import Any

import pytest

from agent.errors import SpecError
from agent.planner import card
from agent.planner.checkpoint import Tensor, of
from fleet import fitness
from fleet.facts.bare import Reported
from fleet.facts.nvidia import Device, Nvidia
from fleet.plan import memory as reckon
from tests.fleet.plan.samples import GIB, H100, KEY, bare, checkpoint, memory
from tests.fleet.samples import spec


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ({"engine_gpus": 4}, {"tp": 4, "pp": 1}),
        ({"engine_gpus": 4, "engine_pipeline_parallel": 2}, {"tp": 2, "pp": 2}),
        ({"engine_gpus": 4, "engine_data_parallel": 2}, {"tp": 2, "pp": 1}),
        ({"engine_kv_cache_dtype": "fp8_e4m3"}, {"kv_dtype": "fp8_e4m3"}),
        ({"engine_memory_fraction": 0.5}, {"fraction": 0.5}),
        ({"engine_max_running_requests": 16}, {"sequences": 16}),
        ({"engine_max_total_tokens": 16384}, {"context": 16384}),
        ({"engine_quantize": "fp8_per_tensor"}, {"quantize": "fp8_per_tensor"}),
    ],
)
def test_every_setting_reaches_the_planner(data: dict[str, Any], wanted: dict[str, Any]) -> None:
    made = reckon.wanted(spec(driver_gpu_count=8, **data).engines["main"])
    assert {name: getattr(made, name) for name in wanted} == wanted


def _refused(**data: Any) -> list[str]:
    made = spec(driver_gpu_count=8, **data)
    return list(fitness.unfit(made, card.declared("H100-SXM"), {KEY: checkpoint()}))


def test_what_cannot_fit_is_refused_with_the_nearest_that_does() -> None:
    [sentence] = _refused(engine_gpus=1)
    begin, _, end = sentence.partition(": weights (")
    assert begin == "engine main: org/model does not fit on 1 × H100-SXM"
    assert end.endswith("are missing; the nearest that fits: 2 GPUs")


def test_what_the_engine_refuses_is_refused() -> None:
    assert _refused(engine_gpus=3) == [
        "engine main: org/model does not fit on 3 × H100-SXM: Total number of attention heads (64) "
        "must be divisible by tensor parallel size (3).; the nearest that fits: 4 GPUs"
    ]


def test_what_fits_is_not_refused() -> None:
    assert _refused(engine_gpus=4) == []


def test_where_nothing_is_near_it_says_so() -> None:
    engine = spec().engines["main"]
    found = memory(fits="no", message="too much")
    assert reckon.refusal("main", engine, found, 2) == (
        "engine main: org/model does not fit on 1 × H100-SXM: too much; nothing near to it fits on "
        "2 GPU(s)"
    )


@pytest.mark.parametrize("fits", ["yes", "unsure"])
def test_what_may_fit_is_not_refused(fits: str) -> None:
    engine = spec().engines["main"]
    assert reckon.refusal("main", engine, memory(fits=fits), 1) is None


def test_a_model_that_nobody_knows_is_not_refused() -> None:
    made = spec(driver_gpu_count=8, engine_gpus=1)
    assert list(fitness.unfit(made, card.declared("H100-SXM"), {})) == []


def test_an_unknown_data_type_is_a_sentence() -> None:
    known = checkpoint()
    odd = of(known.name, known.config, [Tensor(name="model.x.weight", dtype="F7", shape=(1,))])
    with pytest.raises(SpecError, match=r"org/model: the planner does not know 'F7'"):
        reckon.weigh(spec().engines["main"], card.declared("H200"), odd, 1)


def test_the_room_is_what_other_engines_leave() -> None:
    engines = {"a": {"gpus": 2}, "b": {"gpus": 1, "port": 8081}}
    made = spec(driver_gpu_count=8, engines=engines)
    assert (reckon.room(made, "a"), reckon.room(made, "b")) == (7, 6)


def test_what_is_used_leaves_the_reserve_out() -> None:
    assert memory(0.5).taken == 40 * GIB


def test_what_is_not_counted_is_said() -> None:
    pin = "org/small@" + "d" * 40
    made = spec(engine_speculation_model=pin, engine_lora_adapters={"sql": pin})
    assert list(reckon.uncounted(made.engines["main"])) == [
        f"the memory of the draft model {pin} is not counted",
        "the memory of 1 LoRA adapter(s) is not counted",
    ]


@pytest.mark.parametrize(
    ("kind", "near"),
    [
        ("H100-SXM-80GB", "did you mean 'H100-SXM'?"),
        ("h200", "did you mean 'H200'?"),
        ("A100-80GB-SXM", "did you mean 'A100-80-SXM'?"),
        ("abacus", "known are H100-SXM, "),
    ],
)
def test_a_wrong_type_of_gpu_gets_the_nearest(kind: str, near: str) -> None:
    found = fitness.undeclared(spec(driver_gpu_type=kind))
    assert found is not None
    assert found.startswith(f"driver_gpu_type = {kind!r}: is not a GPU that the planner knows; ")
    assert near in found


@pytest.mark.parametrize("kind", [None, "H100-SXM", "L4"])
def test_a_right_one_is_no_fault(kind: str | None) -> None:
    assert fitness.undeclared(spec(driver_gpu_type=kind)) is None


L4 = Reported("NVIDIA L4", 23034, "8.9")


@pytest.mark.parametrize(
    ("declared", "cards", "name"),
    [
        (None, (), None),
        ("H200", (), "H200"),
        (None, (H100,), "H100-SXM"),
        ("H200", (H100,), "H100-SXM"),
        (None, (H100, L4), "L4"),
        (None, (Reported("NVIDIA H100 80GB HBM3", 81559),), "H100-SXM"),
        (None, (Reported("Riddle 9000", 4096),), None),
        ("H200", (Reported("Riddle 9000", 4096),), "H200"),
        (None, (Reported("Riddle 9000", 4096, "9.0"),), "Riddle 9000"),
        (None, (Reported("Riddle 9000", 4096, "[N/A]"),), None),
    ],
)
def test_the_driver_counts_more_than_the_declaration(
    declared: str | None, cards: tuple[Reported, ...], name: str | None
) -> None:
    unheard = Nvidia(gpus=(Device("0000:06:00.0", "3fff"),))
    found = fitness.card(spec(driver_gpu_type=declared), bare(cards=cards, nvidia=unheard))
    assert (found.name if found else None) == name
