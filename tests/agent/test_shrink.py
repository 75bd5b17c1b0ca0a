"""On how many GPUs an engine can serve, and what that makes of a GPU's fault."""

import json
from pathlib import Path

import pytest

from agent.model import Condition, Remedy, Status
from agent.shrink import ROOM, Shape, elsewhere, out_of_service, read, width

GIB = 1024**3
BIG = Shape(heads=64, kv_heads=8, weights=140 * GIB)  # as Llama 3 70B in bfloat16
CARD = 80 * GIB


def shape(heads: int, kv_heads: int, weights: int = 1) -> Shape:
    return Shape(heads=heads, kv_heads=kv_heads, weights=weights)


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
    ],
)
def test_the_largest_valid_degree(model: Shape, wanted: int, available: int, found: int) -> None:
    assert width(model, wanted, available, CARD, shrink=True) == found


@pytest.mark.parametrize(
    ("weights", "available", "found"),
    [
        (140 * GIB, 7, 4),
        (140 * GIB, 3, 0),  # 2 would be valid, but hold 128 GiB
        (128 * GIB, 3, 2),  # just as much as that
        (128 * GIB + 1, 3, 0),
    ],
)
def test_the_weights_have_to_fit(weights: int, available: int, found: int) -> None:
    assert ROOM == 0.8
    assert width(shape(64, 8, weights), 8, available, CARD, shrink=True) == found


@pytest.mark.parametrize(
    ("model", "memory", "allowed"), [(BIG, CARD, False), (None, CARD, True), (BIG, None, True)]
)
def test_what_is_not_allowed_or_not_known_is_not_tried(
    model: Shape | None, memory: int | None, allowed: bool
) -> None:
    assert width(model, 8, 7, memory, shrink=allowed) == 0
    assert width(model, 8, 8, memory, shrink=allowed) == 8  # spare GPUs need none of it
    assert width(model, 8, 9, memory, shrink=allowed) == 8


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"num_attention_heads": 8, "num_key_value_heads": 2}, (8, 2)),
        ({"num_attention_heads": 8}, (8, 8)),
        ({"num_attention_heads": 8, "num_key_value_heads": None}, (8, 8)),
        ({"text_config": {"num_attention_heads": 8, "num_key_value_heads": 4}}, (8, 4)),
        ({"text_config": None}, None),
        ({"num_attention_heads": "many"}, None),
        ({}, None),
        ([], None),
    ],
)
def test_the_shape_is_read_off_the_weights(
    tmp_path: Path, config: object, found: tuple[int, int] | None
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    for n in (1, 2):
        (tmp_path / f"model-{n}.safetensors").write_bytes(b"x" * n)
    expected = found and Shape(heads=found[0], kv_heads=found[1], weights=3)
    assert read(tmp_path) == expected


def test_weights_of_unknown_size_tell_no_shape(tmp_path: Path) -> None:
    """Else nothing would seem to fit everywhere."""
    (tmp_path / "config.json").write_text('{"num_attention_heads": 8}')
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
