from pathlib import Path

import pytest

from agent.weights import progress
from agent.weights.plan import File, amount, disk_fault, has_weights, wanted

PATHS = (
    ".gitattributes",
    "README.md",
    "config.json",
    "model-00001-of-00002.safetensors",
    "modeling_x.py",
    "onnx/model.onnx",
    "onnx/config.json",
    "original/params.json",
    "pytorch_model.bin",
    "tokenizer.model",
    "tokenizer_config.json",
    "chat_template.jinja",
    "merges.txt",
    "x.gguf",
)
FILES = tuple(File(path=path, size=1, blob="b") for path in PATHS)
KEPT = [
    "config.json",
    "model-00001-of-00002.safetensors",
    "tokenizer.model",
    "tokenizer_config.json",
    "chat_template.jinja",
    "merges.txt",
]


def test_takes_weights_and_tokenizer_and_no_pickles() -> None:
    assert [file.path for file in wanted(FILES, code=False)] == KEPT


def test_takes_code_only_from_who_is_trusted() -> None:
    with_code = {file.path for file in wanted(FILES, code=True)}
    assert with_code - set(KEPT) == {"modeling_x.py"}


def test_only_safetensors_are_weights() -> None:
    assert has_weights(FILES)
    assert not has_weights([file for file in FILES if "safetensors" not in file.path])


@pytest.mark.parametrize(("missing", "free", "fits"), [(100, 110, True), (100, 109, False)])
def test_a_tenth_must_stay_free(missing: int, free: int, fits: bool) -> None:
    assert (disk_fault(missing, free, "/x") is None) == fits


def test_nothing_to_fetch_always_fits() -> None:
    assert disk_fault(0, 0, "/x") is None


def test_both_numbers_are_named() -> None:
    fault = disk_fault(10_000_000_000, 2_340_000_000, "/models")
    assert fault
    assert "11.00 GB" in fault
    assert "2.34 GB" in fault
    assert "/models" in fault


@pytest.mark.parametrize(
    ("size", "text"),
    [(140_250_000_000, "140.25 GB"), (3_100_000, "3.10 MB"), (1500, "1.50 kB"), (7, "7 bytes")],
)
def test_bytes_as_people_read_them(size: int, text: str) -> None:
    assert amount(size) == text


def test_a_line_of_progress() -> None:
    line = progress.line(3 * 10**9, 12 * 10**9, 210e6)
    assert line == "fetched 3.00 GB of 12.00 GB (25 %), 210.00 MB/s"
    assert "(100 %), 0 bytes/s" in progress.line(11, 10, -5)


def test_the_size_of_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"12345")
    assert progress.size(tmp_path) == 5
    assert progress.size(tmp_path / "absent") == 0
