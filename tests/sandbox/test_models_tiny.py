"""The tiny model is the same everywhere and readable by the real libraries' formats."""

from __future__ import annotations

import json
from pathlib import Path

from tests.sandbox.hub import repo
from tests.sandbox.hub.describe import safetensors_header
from tests.sandbox.models import checkpoint, make_tiny
from tests.sandbox.models.tokenizer import SPECIAL, tokenizer_json, vocabulary

COMMIT = "1ad94ef57e59e3480634b4283de3c6d477f4d21f"


def test_bytes_are_the_same_on_every_machine(tmp_path: Path) -> None:
    make_tiny(tmp_path)
    assert repo.commit_of(tmp_path) == COMMIT


def test_bf16_is_the_upper_half_of_a_single() -> None:
    assert checkpoint.bf16(1.0) == b"\x80\x3f"
    assert checkpoint.bf16(-2.0) == b"\x00\xc0"


def test_shards_hold_what_the_index_and_the_configuration_say(tmp_path: Path) -> None:
    make_tiny(tmp_path)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    config = json.loads((tmp_path / "config.json").read_text())
    shapes: dict[str, list[int]] = {}
    total = 0
    for shard in sorted(set(index["weight_map"].values())):
        header = safetensors_header(tmp_path / shard)
        header.pop("__metadata__")
        assert all(index["weight_map"][name] == shard for name in header)
        shapes |= {name: tensor["shape"] for name, tensor in header.items()}
        data = max(tensor["data_offsets"][1] for tensor in header.values())
        length = int.from_bytes((tmp_path / shard).read_bytes()[:8], "little")
        assert (tmp_path / shard).stat().st_size == 8 + length + data
        total += data
    assert shapes.keys() == index["weight_map"].keys()
    assert total == index["metadata"]["total_size"]
    head = config["num_attention_heads"] * config["head_dim"]
    assert shapes["model.layers.1.self_attn.q_proj.weight"] == [head, config["hidden_size"]]
    assert shapes["lm_head.weight"] == [config["vocab_size"], config["hidden_size"]]
    assert config["vocab_size"] >= len(vocabulary())


def test_vocabulary_covers_every_byte_and_every_merge() -> None:
    tokens = vocabulary()
    assert [tokens[token] for token in SPECIAL] == [0, 1, 2]
    assert len([token for token in tokens if len(token) == 1]) == 256
    for left, right in tokenizer_json()["model"]["merges"]:
        assert {left, right, left + right} <= tokens.keys()
