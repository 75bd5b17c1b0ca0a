"""Which releases there are, which one is gone back to, and which may go."""

from pathlib import Path

import msgspec
import pytest

from agent import releases
from agent.errors import ActionError, SourceError
from agent.releases import About, Release, garbage
from agent.releasing import choose, main

ABOUT = About(
    id="20260101T000000Z-0123456789",
    digest="0123456789",
    at=0,
    by="ann@desk",
    source="abc",
    program="p1",
    images=("i@sha256:1",),
    models=("o/m@c",),
    driver="595",
)


def release(day: int, *, complete: bool = True, current: bool = False) -> Release:
    about = msgspec.structs.replace(ABOUT, id=f"202601{day:02}T000000Z-0123456789")
    return Release(about=about, complete=complete, current=current)


def days(found: tuple[Release, ...]) -> list[int]:
    return [int(one.about.id[6:8]) for one in found]


def lay(root: Path, day: int, *, complete: bool = True) -> str:
    one = release(day).about
    directory = root / one.id
    directory.mkdir()
    (directory / "about.json").write_bytes(msgspec.json.encode(one))
    if complete:
        (directory / "manifest.json").write_text("{}")
    return one.id


def test_read_back_as_they_lie(tmp_path: Path) -> None:
    lay(tmp_path, 1)
    newest = lay(tmp_path, 3, complete=False)
    here = lay(tmp_path, 2)
    (tmp_path / "current").symlink_to(here)
    (tmp_path / f".{newest}.new").mkdir()
    found = releases.read(tmp_path)
    assert days(found) == [1, 2, 3]
    assert [(one.complete, one.current) for one in found] == [
        (True, False),
        (True, True),
        (False, False),
    ]


def test_one_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    broken = tmp_path / lay(tmp_path, 1)
    (broken / "about.json").write_text("{")
    with pytest.raises(SourceError, match=r"about\.json"):
        releases.read(tmp_path)


def test_the_newest_stay_and_the_current_one_whatever_its_age() -> None:
    found = (release(1), release(2, current=True), release(3), release(4), release(5))
    assert days(garbage(found, 2)) == [1, 3]
    assert days(garbage(found, 0)) == [1, 3, 4, 5]


def test_a_deploy_that_is_under_way_is_not_garbage_and_a_failed_one_of_before_is() -> None:
    found = (
        release(1, complete=False),
        release(2, current=True),
        release(3, complete=False),
    )
    assert days(garbage(found, 3)) == [1]


def test_back_means_the_newest_good_one_before_the_current() -> None:
    found = (release(1), release(2, complete=False), release(3, current=True), release(4))
    assert days((choose(found, None),)) == [1]
    assert days((choose(found, release(4).about.id),)) == [4]


def test_what_there_is_not_is_told_with_what_there_is() -> None:
    with pytest.raises(ActionError, match=r"no release nonsense here; there are: 20260101"):
        choose((release(1, current=True),), "nonsense")
    with pytest.raises(ActionError, match="no release before the current one"):
        choose((release(1, current=True), release(2)), None)


def test_list_tells_which_is_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "current").symlink_to(lay(tmp_path, 2))
    lay(tmp_path, 1)
    assert main(["list"], root=tmp_path) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "kept" in first
    assert "current" in second
    assert "ann@desk" in second


def test_nothing_to_converge_to_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["converge", "--reason", "x"], root=tmp_path) == 1
    assert capsys.readouterr().err.startswith("stoker-release: there is no release before")
