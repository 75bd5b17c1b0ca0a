"""Weights that are carried to the node: a directory as their origin, verified against the lock."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import manifest
from agent.errors import ActionError
from agent.weights.__main__ import origin_of
from agent.weights.fetch import Fetch, World
from agent.weights.folder import Folder
from agent.weights.lock import Locked
from agent.weights.origin import begun
from agent.weights.plan import File
from agent.weights.trouble import Asked
from agent.weights.verify import git_blob

COMMIT = "c" * 40
REPO = "org/name"
CONTENT = {"a.safetensors": b"weights" * 1000, "config.json": b"{}", "sub/b.json": b"[]"}


class Carried:
    """A disk with the weights, and a node that they are to come to."""

    def __init__(self, directory: Path) -> None:
        self.source = directory / "usb"
        self.there = self.source / "org--name" / COMMIT
        for path, content in CONTENT.items():
            (self.there / path).parent.mkdir(parents=True, exist_ok=True)
            (self.there / path).write_bytes(content)
        self.files = tuple(self._file(path) for path in CONTENT)
        self.directory = directory / "models" / "org--name" / COMMIT
        self.partial = self.directory.with_name(f"{COMMIT}.partial")
        self.free: Callable[[Path], int] = lambda _: 10**9

    def _file(self, path: str) -> File:
        there = self.there / path
        is_lfs = path.endswith(".safetensors")
        return File(
            path=path,
            size=there.stat().st_size,
            blob=git_blob(there),
            sha256=manifest.sha256(there) if is_lfs else None,
        )

    def bring(self) -> None:
        asked = Asked(
            hub="https://hub.example", repo=REPO, commit=COMMIT, token=False,
            folder=str(self.source),
        )  # fmt: skip
        locked = Locked(repo=REPO, commit=COMMIT, parameters={}, files=self.files)
        origin = origin_of(asked, None, locked)
        assert isinstance(origin, Folder)
        world = World(origin=origin, free=self.free, say=lambda _: None, pause=lambda _: None)
        Fetch(asked, self.directory, world, code=False, locked=locked).run()


@pytest.fixture
def carried(tmp_path: Path) -> Carried:
    return Carried(tmp_path)


def test_the_files_are_copied_and_verified(carried: Carried) -> None:
    carried.bring()
    for path, content in CONTENT.items():
        assert (carried.directory / path).read_bytes() == content
    assert manifest.load(carried.directory).lock
    assert not carried.partial.exists()


def test_what_was_begun_is_gone_on_with(carried: Carried) -> None:
    part = begun(carried.partial, carried.files[0])
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT["a.safetensors"][:1234])
    rest = len(b"".join(CONTENT.values())) - 1234
    carried.free = lambda _: rest + rest // 10 + 1
    carried.bring()
    assert (carried.directory / "a.safetensors").read_bytes() == CONTENT["a.safetensors"]


def test_a_copy_that_is_not_what_was_locked_is_never_served(carried: Carried) -> None:
    spoilt = bytearray(CONTENT["a.safetensors"])
    spoilt[100] ^= 1
    (carried.there / "a.safetensors").write_bytes(spoilt)
    with pytest.raises(ActionError) as refused:
        carried.bring()
    assert str(refused.value) == ("a.safetensors: not what models.lock lists, after a second fetch")
    assert not carried.directory.exists()


@pytest.mark.parametrize("path", [".", "config.json"])
def test_what_is_not_there_is_one_sentence(carried: Carried, path: str) -> None:
    missing = carried.there / path
    shutil.rmtree(missing) if missing.is_dir() else missing.unlink()
    with pytest.raises(ActionError) as refused:
        carried.bring()
    assert str(refused.value) == (
        f"model_source_dir = '{carried.source}': there is no {missing}; is it mounted? (what lies "
        "below /home, /root and /tmp is not seen)"
    )


def test_no_room_is_said_before_the_first_byte(carried: Carried) -> None:
    carried.free = lambda _: 100
    with pytest.raises(ActionError, match=r"no room for the weights: they need 7\.71 kB"):
        carried.bring()
    assert list(carried.partial.rglob("*")) == []


def test_without_a_lock_nothing_in_it_is_believed(carried: Carried) -> None:
    asked = Asked(hub="x", repo=REPO, commit=COMMIT, token=False, folder="/mnt/usb")
    with pytest.raises(ActionError) as refused:
        origin_of(asked, None, None)
    assert str(refused.value) == (
        "org/name is not in models.lock: nothing tells whether the files in /mnt/usb are right"
    )
