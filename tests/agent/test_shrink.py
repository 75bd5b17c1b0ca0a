"""On how many GPUs an engine can serve, and what that makes of a GPU's fault."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.errors import SpecError
from agent.model import Condition, Remedy, Status
from agent.planner import blueprint
from agent.planner.card import CARDS, Card
from agent.planner.checkpoint import Checkpoint
from agent.shrink import Told, elsewhere, out_of_service, read, smallest, width
from agent.spec import EngineSpec
from tests.agent.engines.examples import engine
from tests.planner.configs import config
from tests.sandbox.models.tiny import make_tiny

GIB = 1024**3
H100 = "NVIDIA H100 80GB HBM3"
CARD = CARDS["H100-SXM"]


def shape(heads: int, kv_heads: int) -> Checkpoint:
    """A small Llama whose MLP any degree up to 8 divides."""
    changes = {"num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": 128}
    return blueprint.draw(
        "small", {**config("llama-3.1-8b"), **changes, "intermediate_size": 16 * 840}
    )


def drawn(name: str) -> Checkpoint:
    return blueprint.draw(name, config(name))


def wants(gpus: int, *, shrink: bool = True, **changes: Any) -> EngineSpec:
    return engine("vllm", gpus=gpus, shrink=shrink, **changes)


@pytest.mark.parametrize(
    ("model", "wanted", "available", "found"),
    [
        (shape(8, 2), 8, 8, 8),
        (shape(8, 2), 8, 7, 4),
        (shape(8, 2), 4, 3, 2),
        (shape(8, 2), 2, 1, 1),
        (shape(8, 2), 1, 0, 0),
        (shape(32, 8), 8, 5, 4),
        (shape(40, 40), 8, 7, 5),  # heads of their own: any divisor
        (shape(28, 4), 4, 3, 2),
        (shape(14, 2), 4, 3, 2),
        (shape(14, 2), 8, 7, 2),  # 7 divides the heads, but neither 7 nor 2 the other
        (shape(64, 1), 8, 7, 4),  # one key-value head is copied
        (shape(12, 12), 8, 7, 6),
        (drawn("qwen2.5-7b"), 4, 3, 2),
        (drawn("gemma-2-2b"), 8, 7, 4),
    ],
)
def test_the_largest_valid_degree(
    model: Checkpoint, wanted: int, available: int, found: int
) -> None:
    assert width(model, wants(wanted), available, CARD) == found


@pytest.mark.parametrize("kind", ["vllm", "sglang", "tgi"])
@pytest.mark.parametrize(
    ("model", "card", "context", "available", "found"),
    [
        ("llama-3.3-70b", "H100-SXM", 8192, 7, 4),
        ("llama-3.3-70b", "H100-SXM", 32768, 3, 0),  # 2 hold the weights, and no such KV cache
        ("llama-3.3-70b", "H200", 32768, 3, 2),
        ("llama-3.3-70b", "A100-40-SXM", 8192, 7, 0),  # 4 would have 160 GB for 141
        ("llama-3.1-8b", "L40S", 8192, 1, 1),
        ("llama-3.1-8b", "T4", 8192, 1, 0),
    ],
)
def test_it_has_to_fit(
    kind: str, model: str, card: str, context: int, available: int, found: int
) -> None:
    spec = engine(kind, gpus=8, shrink=True, dtype="float16", max_total_tokens=context)
    assert width(drawn(model), spec, available, CARDS[card]) == found


@pytest.mark.parametrize(
    ("model", "card", "allowed"),
    [(shape(8, 2), CARD, False), (None, CARD, True), (shape(8, 2), None, True)],
)
def test_what_is_not_allowed_or_not_known_is_not_tried(
    model: Checkpoint | None, card: Card | None, allowed: bool
) -> None:
    spec = wants(8, shrink=allowed)
    assert width(model, spec, 7, card) == 0
    assert width(model, spec, 8, card) == 8  # spare GPUs need none of it
    assert width(model, spec, 9, card) == 8


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        ({"hidden_size": "wide"}, (), "config.json lacks or garbles"),
        ({}, ("--ep-size", "many"), "extra_args"),
    ],
)
def test_what_the_planner_cannot_make_out_is_an_error(
    changes: dict[str, Any], arguments: tuple[str, ...], said: str
) -> None:
    found = shape(8, 2)
    model = Checkpoint(name="x", config={**found.config, **changes}, tensors=found.tensors)
    spec = wants(8, extra_args=arguments)
    with pytest.raises(SpecError, match=said):
        width(model, spec, 7, CARD)
    assert width(model, spec, 8, CARD) == 8  # and nobody asks it there


def test_the_smallest_gpu_counts() -> None:
    big, small = ("NVIDIA H200", 141 * GIB, 90), (H100, 80 * GIB, 90)
    assert smallest([big, small, big]) == CARDS["H100-SXM"]
    assert smallest([big]) == CARDS["H200"]
    slice_of = smallest([big, (f"{H100} MIG 3g.40gb", 40 * GIB, 90)])
    assert slice_of is not None
    assert 39 * GIB < slice_of.memory < 40 * GIB


@pytest.mark.parametrize("gpus", [[], [(H100, None, 90)], [(H100, 80 * GIB, None)]])
def test_a_gpu_that_tells_nothing_is_no_card(gpus: list[Told]) -> None:
    assert smallest(gpus) is None
    assert smallest([*gpus, ("", 24 * GIB, 80)]) is not None  # a name is not needed


def test_the_model_is_read_off_the_weights(tmp_path: Path) -> None:
    make_tiny(tmp_path)
    model = read(tmp_path)
    assert model is not None
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert model.bytes == index["metadata"]["total_size"]
    spec = wants(4, max_input_tokens=1024, max_total_tokens=2048)
    assert [width(model, spec, n, CARD) for n in range(5)] == [0, 1, 2, 2, 4]
    assert width(model, wants(4), 3, CARD) == 0  # 8,192 tokens are more than it is made for


@pytest.mark.parametrize("name", ["config.json", "model-00001-of-00002.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff" * 16])
def test_weights_that_cannot_be_read_tell_nothing(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    make_tiny(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert read(tmp_path) is None


def test_weights_of_unknown_size_tell_nothing(tmp_path: Path) -> None:
    """Else nothing would seem to fit everywhere."""
    (tmp_path / "config.json").write_text(json.dumps(config("llama-3.1-8b")))
    (tmp_path / "model.bin").write_bytes(b"x")
    assert read(tmp_path) is None
    assert read(tmp_path / "none") is None


def fault(subject: str, remedy: Remedy) -> Condition:
    facts = {"check": "c", "status": Status.FAIL, "reason": "R", "message": "it is lost"}
    return Condition(subject=subject, remedy=remedy, since=5.0, fatal=True, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("subject", "remedy", "gpus", "moves"),
    [
        ("gpu:A", Remedy.RESET, 4, True),
        ("gpu:A", Remedy.REBOOT, 4, True),
        ("gpu:A", Remedy.QUARANTINE, 8, True),
        ("gpu:A", Remedy.RESET, 0, False),
        ("gpu:A", Remedy.DRAIN, 4, False),  # not judged yet
        ("gpu:A", Remedy.RESTART, 4, False),
        ("fabric", Remedy.RESET, 4, False),
        ("node", Remedy.REBOOT, 4, False),
        ("engine:main", Remedy.QUARANTINE, 4, False),
    ],
)
def test_a_gpus_fault_is_a_restart_where_others_are_free(
    subject: str, remedy: Remedy, gpus: int, moves: bool
) -> None:
    before = fault(subject, remedy)
    after = elsewhere(before, gpus, 8)
    assert after is not None
    assert (after is not before) is moves
    if moves:
        assert (after.remedy, after.since, after.fatal) == (Remedy.RESTART, 5.0, True)
        assert f"on {gpus} of 8 GPUs" in after.message


def test_no_fault_is_no_fault() -> None:
    assert elsewhere(None, 8, 8) is None


def test_a_gpu_is_out_while_more_than_a_restart_is_due() -> None:
    found = [fault(f"gpu:{one.name}", one) for one in Remedy]
    names = {"DRAIN", "RESET", "REBOOT", "QUARANTINE"}
    assert out_of_service([*found, fault("node", Remedy.REBOOT)]) == names
