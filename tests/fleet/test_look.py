"""The look at paths and units by the very command, on this machine."""

import subprocess
from hashlib import sha256
from pathlib import Path

from agent.drift.manifest import Directory, File, Link
from fleet.facts.paths import PathStates


def look(*paths: Path) -> dict[str, File | Directory | Link]:
    fact = PathStates()
    command = fact.command(paths=[str(path) for path in paths]).get_raw_value()
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert not done.stderr
    return fact.process(done.stdout.splitlines())


def test_what_lies_where(tmp_path: Path) -> None:
    file, empty, odd = tmp_path / "file", tmp_path / "empty", tmp_path / "with | a bar"
    file.write_text("hello\n")
    empty.touch()
    odd.write_text("x")
    link, nowhere, directory = tmp_path / "link", tmp_path / "nowhere", tmp_path / "directory"
    link.symlink_to("file")
    nowhere.symlink_to("/no/such")
    directory.mkdir()
    for path in (file, empty, odd):
        path.chmod(0o640)
    found = look(file, tmp_path / "gone", empty, odd, link, nowhere, directory)
    assert set(found) == {str(p) for p in (file, empty, odd, link, nowhere, directory)}
    assert found[str(link)] == Link(target="file")
    assert found[str(nowhere)] == Link(target="/no/such")
    assert isinstance(found[str(directory)], Directory)
    for path in (file, empty, odd):
        one = found[str(path)]
        assert isinstance(one, File)
        assert (one.sha256, one.mode) == (sha256(path.read_bytes()).hexdigest(), "640")


def test_only_what_is_not_there_or_only_links(tmp_path: Path) -> None:
    assert look(tmp_path / "gone") == {}
    (tmp_path / "l").symlink_to("x")
    assert look(tmp_path / "l") == {str(tmp_path / "l"): Link(target="x")}
