"""What a checkpoint consists of, read by range requests from the sandbox's Hub."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import ActionError
from agent.planner import checkpoint
from agent.weights.trouble import Asked
from fleet.models import metadata
from fleet.models.metadata import Metadata
from tests.sandbox.hub.faults import Fault
from tests.sandbox.hub_fixtures import FULL, GATED, LIMITED, PUBLIC, Site, site
from tests.sandbox.models.checkpoint import write


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        yield running


class Look:
    """Reads the metadata of a model; `pauses` are the seconds that it would have waited."""

    def __init__(self, here: Site) -> None:
        self.here, self.pauses = here, list[float]()
        self.kept = here.scratch / "kept"

    def __call__(self, repo: str = PUBLIC, token: str | None = None) -> Metadata:
        asked = Asked(
            hub=self.here.endpoint,
            repo=repo,
            commit=self.here.commit(repo),
            token=token is not None,
        )
        return metadata.read(
            asked, token, say=lambda _: None, pause=self.pauses.append, kept=self.kept
        )


@pytest.fixture
def look(here: Site) -> Look:
    return Look(here)


def safetensors(path: Path) -> None:
    """Write a file with one tensor of four numbers of 16 bits."""
    write(path, {"x.weight": (4,)})


def test_it_is_the_same_as_of_the_files_themselves(here: Site, look: Look) -> None:
    found = look()
    there = checkpoint.read(here.root / PUBLIC)
    assert (
        found.config == there.config == json.loads((here.root / PUBLIC / "config.json").read_text())
    )
    assert {t.name: t for t in found.checkpoint.tensors} == {t.name: t for t in there.tensors}
    assert found.bytes == there.bytes
    index = json.loads((here.root / PUBLIC / "model.safetensors.index.json").read_text())
    assert found.bytes == index["metadata"]["total_size"]
    assert {name: file for file, names in found.files.items() for name in names} == (
        index["weight_map"]
    )


def test_no_file_of_weights_is_downloaded(here: Site, look: Look) -> None:
    shard = here.root / PUBLIC / "model-00001-of-00002.safetensors"
    with shard.open("ab") as stream:
        stream.write(b"\0" * 2_000_000)
    look()
    gets = [
        entry for entry in here.hub.control.log
        if ".safetensors" in str(entry["path"]) and "index" not in str(entry["path"])
    ]  # fmt: skip
    assert len(gets) == 2
    assert {entry["range"] for entry in gets} == {"bytes=0-100000"}
    assert {entry["status"] for entry in gets} == {206}


def test_a_header_that_is_longer_is_asked_for_once_more(here: Site, look: Look) -> None:
    names: dict[str, tuple[int, ...]] = {
        f"model.layers.{n}.{'x' * 100}.weight": (1,) for n in range(800)
    }
    write(here.root / PUBLIC / "model-00001-of-00002.safetensors", names)
    found = look()
    assert len(found.files["model-00001-of-00002.safetensors"]) == 800


def test_what_was_read_once_is_not_asked_for_again(here: Site, look: Look) -> None:
    found = look()
    here.hub.control.log.clear()
    assert look() == found
    assert here.hub.control.log == []


def test_what_was_kept_and_garbled_is_read_again(look: Look) -> None:
    found = look()
    [path] = look.kept.rglob("*.json")
    path.write_text("{")
    assert look() == found
    assert json.loads(path.read_text())["repo"] == PUBLIC


def test_a_second_copy_of_the_weights_is_not_counted(here: Site, look: Look) -> None:
    safetensors(here.root / PUBLIC / "consolidated.safetensors")
    assert set(look().files) == {
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
    }  # fmt: skip


def test_an_adapter_has_neither_index_nor_config(here: Site, look: Look) -> None:
    repo = here.root / "stoker" / "adapter"
    repo.mkdir()
    safetensors(repo / "adapter_model.safetensors")
    found = look("stoker/adapter")
    assert found.config == {}
    assert found.parameters == {"BF16": 4}
    assert found.bytes == 8


def test_pickled_weights_are_refused(here: Site, look: Look) -> None:
    repo = here.root / "stoker" / "pickled"
    repo.mkdir()
    (repo / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ActionError) as refused:
        look("stoker/pickled")
    assert str(refused.value) == (
        f"stoker/pickled has no .safetensors at {here.commit('stoker/pickled')}: Stoker serves no "
        "pickled weights, for they can run any code"
    )
    assert look.pauses == []


@pytest.mark.parametrize("start", [struct.pack("<Q", 1 << 60), struct.pack("<Q", 4) + b"{{{{"])
def test_a_file_that_is_no_safetensors_is_one_sentence(
    here: Site, look: Look, start: bytes
) -> None:
    (here.root / PUBLIC / "model-00001-of-00002.safetensors").write_bytes(start)
    with pytest.raises(ActionError) as refused:
        look()
    assert str(refused.value).startswith(f"{PUBLIC} has a file that is no safetensors: ")
    assert "\n" not in str(refused.value)


def test_a_gated_model_is_not_read_without_access(here: Site, look: Look) -> None:
    with pytest.raises(ActionError, match="accept the licence at"):
        look(GATED, LIMITED)
    assert not [e for e in here.hub.control.log if "/resolve/" in str(e["path"])]
    assert look(GATED, FULL).repo == GATED


def test_a_busy_hub_is_waited_for_and_then_given_up(here: Site, look: Look) -> None:
    busy = Fault("status", path_contains="auth-check", status=429, retry_after=9, times=1)
    here.hub.control.faults.add(busy)
    look()
    assert look.pauses == [9]
    look.kept = here.scratch / "other"
    here.hub.control.faults.add(Fault("status", path_contains="auth-check", status=500, times=3))
    with pytest.raises(ActionError) as refused:
        look()
    assert str(refused.value) == f"{here.endpoint} fails with status 500"
