"""Where the metadata of a checkpoint is looked for."""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import msgspec
import pytest

from agent.engine_spec import folder
from fleet.models.metadata import Metadata, Tensor
from fleet.plan import known
from fleet.plan.known import Known
from tests.fleet.samples import spec
from tests.planner import configs
from tests.sandbox.hub_fixtures import GATED, PUBLIC, Site, site


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        yield running


def gather(directory: Path, repo: str, *, offline: bool, **data: Any) -> Known:
    made = spec(engine_model=repo, **{"engine_revision": "c" * 40, **data})
    return known.gather(
        [made],
        directory,
        lambda _: None,
        lambda _: None,
        offline=offline,
        cache=directory / "cache",
    )


def test_the_hub_is_asked_unless_offline(here: Site, tmp_path: Path) -> None:
    data = {"engine_revision": here.commit(), "model_hub": here.endpoint}
    found = gather(tmp_path, PUBLIC, offline=True, **data)
    assert here.hub.control.log == []
    asked = gather(tmp_path, PUBLIC, offline=False, **data)
    assert asked.checkpoints[PUBLIC, here.commit()].drawn is False
    assert here.hub.control.log != []
    assert found.problems == {
        (PUBLIC, here.commit()): f"there is no metadata of {PUBLIC}: plan once without --offline, "
        f"or give its config.json in {tmp_path / PUBLIC}"
    }


def test_why_the_hub_refuses_is_told(here: Site, tmp_path: Path) -> None:
    commit = here.commit(GATED)
    data = {"engine_revision": commit, "model_hub": here.endpoint}
    found = gather(tmp_path, GATED, offline=False, **data)
    assert found.checkpoints == {}
    assert GATED in found.problems[GATED, commit]
    assert "licence" in found.problems[GATED, commit]


def test_an_engine_without_a_gpu_needs_no_metadata(tmp_path: Path) -> None:
    found = gather(tmp_path, "org/model", offline=True, driver_gpu_count=0, engine_gpus=0)
    assert found == Known(checkpoints={}, problems={})


def test_a_directory_with_weights_is_read_by_their_headers(here: Site, tmp_path: Path) -> None:
    copytree(here.root / PUBLIC, tmp_path / "models" / PUBLIC)
    found = gather(tmp_path / "models", PUBLIC, offline=True).checkpoints[PUBLIC, "c" * 40]
    assert (found.name, found.drawn) == (PUBLIC, False)
    index = json.loads((here.root / PUBLIC / "model.safetensors.index.json").read_text())
    assert found.bytes == index["metadata"]["total_size"]


def test_a_config_alone_is_reckoned_from(tmp_path: Path) -> None:
    place = tmp_path / "org" / "model"
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps(configs.config("qwen3-8b")))
    found = gather(tmp_path, "org/model", offline=True).checkpoints["org/model", "c" * 40]
    assert found.drawn
    assert found.bytes == configs.checkpoint("qwen3-8b").bytes


def test_a_garbled_config_is_a_sentence(tmp_path: Path) -> None:
    place = tmp_path / "org" / "model"
    place.mkdir(parents=True)
    (place / "config.json").write_text("{")
    [problem] = gather(tmp_path, "org/model", offline=True).problems.values()
    assert problem.startswith(f"{place / 'config.json'}: ")


def test_what_was_read_from_the_hub_is_kept(tmp_path: Path) -> None:
    files = {"a.safetensors": {"x.weight": Tensor(dtype="BF16", shape=(2, 2), bytes=8)}}
    kept = Metadata(repo="org/model", commit="c" * 40, config={"a": 1}, files=files)
    path = tmp_path / f"{folder('org/model', 'c' * 40)}.json"
    path.parent.mkdir(parents=True)
    assert known.kept("org/model", "c" * 40, tmp_path / "empty") is None
    path.write_bytes(msgspec.json.encode(kept))
    found = known.kept("org/model", "c" * 40, tmp_path)
    assert found is not None
    assert (found.name, found.bytes, found.drawn) == ("org/model", 8, False)
