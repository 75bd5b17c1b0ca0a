"""The directories in which engines keep what they compiled."""

import os
from pathlib import Path

import pytest

from agent.runner import caches

ME = f"{os.getuid()}:{os.getgid()}"


def image(letter: str) -> str:
    return f"example/engine@sha256:{letter * 64}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "engines" / "main" / "cache"


def test_it_outlasts_a_run_and_is_its_owners_alone(root: Path) -> None:
    made = caches.prepare(root, image("a"), ME)
    (made / "kernel").write_text("compiled")
    assert caches.prepare(root, image("a"), ME) == made
    assert (made / "kernel").read_text() == "compiled"
    assert made.stat().st_mode & 0o777 == 0o700
    assert root.parent.stat().st_mode & 0o777 == 0o700


def test_another_image_gets_another_and_the_last_two_are_kept(root: Path) -> None:
    made = []
    for number, letter in enumerate("abc"):
        made.append(caches.prepare(root, image(letter), ME))
        os.utime(made[-1], (number, number))
    caches.prepare(root, image("c"), ME)
    assert sorted(root.iterdir()) == sorted(made[1:])


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_what_another_user_compiled_is_thrown_away(root: Path) -> None:
    (caches.prepare(root, image("a"), "2000:0") / "kernel").write_text("theirs")
    made = caches.prepare(root, image("a"), "2001:0")
    assert list(made.iterdir()) == []
    assert made.stat().st_uid == 2001


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_nothing_that_the_engine_left_is_followed(root: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    (caches.prepare(root, image("a"), "2000:0") / "link").symlink_to(precious)
    caches.prepare(root, image("a"), "2001:0")
    assert (precious / "file").read_text() == "kept"
