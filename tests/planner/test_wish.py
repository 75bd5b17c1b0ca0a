"""What a spec of an engine wishes, and which card a driver reports."""

from typing import Any

import pytest

from agent.errors import SpecError
from agent.planner import card
from agent.planner.units import GIB
from agent.planner.wish import Version, Wish, of
from agent.spec import EngineSpec


def engine(**changes: Any) -> EngineSpec:
    return EngineSpec(
        image="vllm/vllm-openai@sha256:" + "0" * 64,
        model="org/name",
        revision="0" * 40,
        **changes,
    )


@pytest.mark.parametrize(
    ("changes", "tp", "expected"),
    [
        ({"max_total_tokens": 4096}, 1, {"context": 4096}),
        ({"max_concurrent_requests": 500}, 2, {"tp": 2, "concurrency": 1}),
        ({"max_batch_prefill_tokens": 2048}, 1, {"prefill": 2048}),
        ({"quantize": "fp8", "dtype": "float16"}, 1, {"quantize": "fp8", "dtype": "float16"}),
        ({"memory_fraction": 0.85}, 1, {"fraction": 0.85}),
        ({"max_running_requests": 64}, 1, {"sequences": 64}),
        ({"kv_cache_dtype": "fp8"}, 1, {"kv_dtype": "fp8"}),
        ({"extra_args": ("--enforce-eager",)}, 1, {"graphs": False}),
        ({"extra_args": ("--enable-expert-parallel", "--enforce-eager")}, 1, {"graphs": False}),
        ({"extra_args": ("--enable-expert-parallel",)}, 1, {"expert_parallel": True}),
        ({"extra_args": ("--ep-size=2",), "kind": "sglang"}, 1, {"expert_parallel": True}),
        ({"pipeline_parallel": 2}, 8, {"tp": 4, "pp": 2, "gpus": 8}),
        ({"data_parallel": 2}, 8, {"tp": 4, "pp": 1}),
        (
            {"kind": "sglang", "memory_fraction": 0.8},
            1,
            {"engine": "sglang", "fraction": 0.8, "version": Version(major=0, minor=5, patch=23)},
        ),
        (
            {"kind": "sglang", "extra_args": ("--cuda-graph-backend-decode=disabled",)},
            1,
            {"graphs": False},
        ),
        (
            {"kind": "tgi", "environment": {"TGI_WIGGLE_ROOM": "0.95"}},
            1,
            {"wiggle": 0.95, "engine": "tgi"},
        ),
        ({"kind": "tgi", "extra_args": ("--cuda-graphs", "0")}, 1, {"graphs": False}),
    ],
)
def test_a_spec_becomes_a_wish(changes: dict[str, Any], tp: int, expected: dict[str, Any]) -> None:
    found = of(engine(**changes), tp)
    assert {name: getattr(found, name) for name in expected} == expected


def test_a_number_that_is_none_is_said_so() -> None:
    with pytest.raises(SpecError, match=r"extra_args: .*'much'"):
        of(engine(extra_args=("--ep-size", "much")), 1)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("0.33.0", (0, 33, 0)),
        ("v0.33", (0, 33, 0)),
        ("3.3.7-dev0", (3, 3, 7)),
        ("0.5.8.post1", (0, 5, 8)),
    ],
)
def test_versions(text: str, version: tuple[int, int, int]) -> None:
    found = Version.parse(text)
    assert (found.major, found.minor, found.patch) == version


def test_versions_are_in_order() -> None:
    assert Version.parse("0.9") < Version.parse("0.33") < Version.parse("0.33.1")


@pytest.mark.parametrize("text", ["latest", "1", ""])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(SpecError, match="is not a version"):
        Version.parse(text)


def test_a_wish_of_nothing_is_the_current_vllm() -> None:
    assert Wish() == of(engine(), 1)


@pytest.mark.parametrize(
    ("name", "mib", "expected"),
    [
        ("NVIDIA H100 80GB HBM3", 81559, "H100-SXM"),
        ("NVIDIA H100 PCIe", 81559, "H100-PCIe"),
        ("NVIDIA H100 NVL", 95830, "H100-NVL"),
        ("NVIDIA H200", 143771, "H200"),
        ("NVIDIA H200 NVL", 143771, "H200-NVL"),
        ("NVIDIA A100-SXM4-80GB", 81920, "A100-80-SXM"),
        ("NVIDIA A100 80GB PCIe", 81920, "A100-80-PCIe"),
        ("NVIDIA A100-SXM4-40GB", 40960, "A100-40-SXM"),
        ("NVIDIA L4", 23034, "L4"),
        ("NVIDIA L40S", 46068, "L40S"),
        ("NVIDIA A10G", 23028, "A10"),
        ("NVIDIA GeForce RTX 4090", 24564, "RTX-4090"),
        ("Tesla T4", 15360, "T4"),
        ("NVIDIA RTX A6000", 49140, "A6000"),
    ],
)
def test_what_nvml_reports_is_known(name: str, mib: int, expected: str) -> None:
    assert card.reported(name, mib << 20, 90).name == expected


def test_a_slice_of_a_card_has_its_own_memory() -> None:
    slice_of = card.reported("NVIDIA H100 80GB HBM3 MIG 3g.40gb", 40320 << 20, 90)
    assert 38 * GIB < slice_of.memory < 40320 << 20
    assert slice_of.form == "SXM"


def test_an_unknown_card_is_planned_for_by_its_memory() -> None:
    found = card.reported("NVIDIA X1000", 100 * GIB, 120)
    assert (found.name, found.memory, found.capability) == ("NVIDIA X1000", 99 * GIB, 120)
    assert not found.nvlink


def test_a_card_that_an_inventory_misspells() -> None:
    with pytest.raises(SpecError, match="GPU type 'H1000' is not known; known are H100-SXM, "):
        card.declared("H1000")
