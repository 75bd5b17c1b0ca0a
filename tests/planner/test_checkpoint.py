"""Headers of real safetensors files, written byte by byte, and what a garbled one is called."""

import json
import struct
from pathlib import Path

import pytest

from agent.errors import SourceError, SpecError
from agent.planner import blueprint, checkpoint, shape
from agent.planner.checkpoint import Tensor, header
from tests.planner.configs import AWQ, FP8_BLOCKS, MODELS, config

NORM = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
WIDE = {"dtype": "BF16", "shape": [2, 3], "data_offsets": [16, 28]}

# As the Hub counts them ("safetensors" in the model's card).
PARAMETERS = {
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.3-70b": 70_553_706_496,
    "qwen2.5-7b": 7_615_616_512,
    "qwen2.5-72b": 72_706_203_648,
    "qwen3-8b": 8_190_735_360,
    "qwen3-30b-a3b": 30_532_122_624,
    "mixtral-8x7b": 46_702_792_704,
    "phi-4": 14_659_507_200,
    "gemma-2-27b": 27_227_128_320,
    "granite-3.1-8b": 8_170_848_256,
}
NEARLY = {  # a vision tower is drawn, and MLA's and shared experts' small norms and gates are not
    "gemma-3-27b": 27_432_406_640,
    "mistral-small-3.1-24b": 24_011_361_280,
    "llama-4-scout": 108_641_793_536,
    "deepseek-v2-lite": 15_706_484_224,
    "qwen1.5-moe-a2.7b": 14_315_784_192,
}


def file(entries: object, payload: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + payload


def test_a_header_gives_names_dtypes_and_shapes() -> None:
    start = file({"__metadata__": {"format": "pt"}, "a.weight": WIDE, "norm": NORM}, b"x" * 28)
    assert header(start) == (
        Tensor(name="a.weight", dtype="BF16", shape=(2, 3)),
        Tensor(name="norm", dtype="F32", shape=(4,)),
    )


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"short", "shorter than 8 bytes"),
        (struct.pack("<Q", 1 << 60), "a header of 1152921504606846976 bytes"),
        (struct.pack("<Q", 9) + b'{"a": 1', "not the header"),
        (file({"a": 1}), "not the header"),
        (file({"a": {"dtype": "BF16"}}), "not the header"),
        (file([1]), "not the header"),
        (file({"a": {"dtype": "F9", "shape": [1]}}), "not the header"),
    ],
)
def test_what_is_no_header_is_said_so(start: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        header(start)


def test_a_directory_is_read_by_its_index(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config("llama-3.1-8b")))
    (tmp_path / "model-1.safetensors").write_bytes(file({"a": WIDE}, b"x" * 12))
    (tmp_path / "model-2.safetensors").write_bytes(file({"b": NORM}, b"x" * 16))
    (tmp_path / "consolidated.safetensors").write_bytes(file({"a": WIDE}, b"x" * 12))
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    found = checkpoint.read(tmp_path)
    assert [tensor.name for tensor in found.tensors] == ["a", "b"]
    assert found.bytes == 12 + 16
    assert found.config["hidden_size"] == 4096
    assert not found.drawn


def test_experts_that_are_alike_are_counted() -> None:
    def down(layer: int, expert: int, width: int = 3) -> Tensor:
        name = f"model.layers.{layer}.mlp.experts.{expert}.down_proj.weight"
        return Tensor(name=name, dtype="BF16", shape=(2, width))

    found = checkpoint.of("moe", {}, [down(0, 0), down(0, 1), down(0, 2, 9), down(1, 0)])
    assert [(t.name[:14], t.shape, t.count) for t in found.tensors] == [
        ("model.layers.0", (2, 3), 2),
        ("model.layers.0", (2, 9), 1),
        ("model.layers.1", (2, 3), 1),
    ]
    assert found.bytes == 2 * (6 + 6 + 18 + 6)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_directory_that_lacks_something(tmp_path: Path, missing: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(file({"a": WIDE}))
    (tmp_path / missing).unlink()
    with pytest.raises(SourceError):
        checkpoint.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "5"),
        ("config.json", "null"),
        ("config.json", '"text"'),
        ("model.safetensors.index.json", "{}"),
        ("model.safetensors.index.json", "[]"),
        ("model.safetensors.index.json", '{"weight_map": 5}'),
        ("model.safetensors.index.json", '{"weight_map": {"a": 5}}'),
        ("model.safetensors.index.json", '{"weight_map": {"a": "none.safetensors"}}'),
    ],
)
def test_a_directory_with_something_garbled(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(file({"a": WIDE}))
    (tmp_path / name).write_text(content)
    with pytest.raises(SourceError):
        checkpoint.read(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"quantization_config": 5},
        {"rope_scaling": 5},
        {"vision_config": 5},
        {"num_hidden_layers": 0},
        {"num_attention_heads": 0},
        {"num_key_value_heads": -1},
        {"head_dim": -128},
    ],
)
def test_a_config_that_makes_no_model(changes: dict[str, object]) -> None:
    with pytest.raises(SpecError, match=r"config\.json"):
        shape.model("x", {**config("llama-3.1-8b"), **changes})


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_what_is_drawn_has_every_parameter(name: str) -> None:
    drawn = blueprint.draw(name, config(name))
    assert drawn.drawn
    assert sum(tensor.elements for tensor in drawn.tensors) == PARAMETERS[name]


@pytest.mark.parametrize("name", sorted(NEARLY))
def test_what_is_drawn_of_the_others_is_near(name: str) -> None:
    drawn = blueprint.draw(name, config(name))
    found = sum(tensor.elements for tensor in drawn.tensors)
    assert found == pytest.approx(NEARLY[name], rel=2e-3)


def test_four_bit_weights_are_packed() -> None:
    packed = blueprint.draw("8b", config("llama-3.1-8b", AWQ)).bytes
    assert packed == pytest.approx(5.73e9, rel=2e-3)  # hugging-quants' AWQ-INT4 of it: 5.73 GB


def test_block_wise_fp8_has_a_scale_a_block() -> None:
    drawn = blueprint.draw("moe", config("qwen3-30b-a3b", FP8_BLOCKS))
    scales = [tensor for tensor in drawn.tensors if tensor.name.endswith("weight_scale_inv")]
    assert scales[0].shape == (32, 16)  # q_proj: 4096 × 2048
    assert drawn.bytes == pytest.approx(31.2e9, rel=5e-3)  # Qwen's own FP8 of it: 31.2 GB


@pytest.mark.parametrize("name", sorted(path.stem for path in MODELS.glob("*.json")))
def test_every_layer_is_of_some_kind(name: str) -> None:
    facts = shape.model(name, config(name))
    assert sum(kind.layers for kind in facts.kinds) == facts.layers


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("llama-3.1-8b", [("full", 32, 0)]),
        ("gemma-2-27b", [("full", 23, 0), ("window", 23, 4096)]),
        ("gemma-3-27b", [("full", 10, 0), ("window", 52, 1024)]),
        ("llama-4-scout", [("full", 12, 0), ("window", 36, 8192)]),
        ("gpt-oss-20b", [("full", 12, 0), ("window", 12, 128)]),
        ("deepseek-r1", [("latent", 61, 0)]),
    ],
)
def test_what_the_layers_keep(name: str, kinds: list[tuple[str, int, int]]) -> None:
    found = shape.model(name, config(name)).kinds
    assert [(kind.kind, kind.layers, kind.window) for kind in found] == kinds


def test_linear_attention_keeps_a_state() -> None:
    facts = shape.model(
        "next",
        {
            **config("qwen3-8b"),
            "num_hidden_layers": 48,
            "full_attention_interval": 4,
            "linear_num_key_heads": 16,
            "linear_num_value_heads": 32,
            "linear_key_head_dim": 128,
            "linear_value_head_dim": 128,
            "linear_conv_kernel_dim": 4,
        },
    )
    state = facts.kinds[1]
    assert (state.kind, state.layers) == ("state", 36)
    assert state.state == 8192 * 3 * 2 + 32 * 128 * 128 * 4


def test_a_config_that_lacks_something_names_it() -> None:
    with pytest.raises(SpecError, match=r"odd: config.json lacks or garbles 'num_attention_heads'"):
        shape.model("odd", {"hidden_size": 1})
