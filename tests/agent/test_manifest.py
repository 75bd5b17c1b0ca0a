import os
from pathlib import Path

import msgspec
import pytest

from agent import manifest
from agent.manifest import Entry, Manifest


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "a.safetensors").write_bytes(b"weights")
    stat = (tmp_path / "a.safetensors").stat()
    sha256 = manifest.sha256(tmp_path / "a.safetensors")
    entry = Entry(size=7, sha256=sha256, mtime=stat.st_mtime_ns)
    made = Manifest(repo="o/m", commit="c" * 40, code=False, files={"a.safetensors": entry})
    manifest.save(tmp_path, msgspec.structs.replace(made, lock="abc"))
    return tmp_path


def test_complete_weights_leave_no_doubt(directory: Path) -> None:
    assert manifest.quick_fault(directory) is None
    assert manifest.doubt(directory, code=False, lock="abc") is None
    assert manifest.doubt(directory, code=False, lock="") is None


def test_another_lock_is_a_doubt_and_no_fault(directory: Path) -> None:
    said = manifest.doubt(directory, code=False, lock="def")
    assert said == f"the weights in {directory} were not verified against the lock"
    assert manifest.quick_fault(directory) is None


def test_a_file_that_was_written_to_is_a_doubt_and_no_fault(directory: Path) -> None:
    os.utime(directory / "a.safetensors", ns=(1, 1))
    said = manifest.doubt(directory, code=False, lock="abc")
    assert said == f"{directory}: a.safetensors: written to since verified"
    assert manifest.quick_fault(directory) is None


@pytest.mark.parametrize("content", [b"weight", None])
def test_a_file_of_another_size_is_a_fault(directory: Path, content: bytes | None) -> None:
    (directory / "a.safetensors").unlink()
    if content is not None:
        (directory / "a.safetensors").write_bytes(content)
    said = f"{directory}: a.safetensors: missing or of the wrong size"
    assert manifest.quick_fault(directory) == said
    assert manifest.doubt(directory, code=False, lock="") == said
    assert manifest.damaged(directory) == ["a.safetensors"]


def test_a_manifest_of_an_older_agent_is_still_read(directory: Path) -> None:
    old = {"repo": "o/m", "commit": "c" * 40, "code": False}
    entry = {"size": 7, "sha256": "0" * 64}
    text = msgspec.json.encode({**old, "files": {"a.safetensors": entry}})
    (directory / manifest.NAME).write_bytes(text)
    assert manifest.quick_fault(directory) is None
    assert manifest.doubt(directory, code=False, lock="")
