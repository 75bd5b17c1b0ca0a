"""The operator's own programs around a deploy."""

from pathlib import Path

from fleet.run import hooks

TOLD: list[str] = []


def run(name: str, facts: dict[str, str], where: Path, deadline: float = 60) -> str:
    TOLD.clear()
    return hooks.run(name, facts, where, TOLD.append, deadline)


def place(directory: Path, name: str, script: str, mode: int = 0o755) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)


def test_none_is_needed(tmp_path: Path) -> None:
    assert hooks.faults(tmp_path / "none") == []
    assert run("pre-deploy", {}, tmp_path / "none") == ""


def test_it_is_told_what_goes_on(tmp_path: Path) -> None:
    place(tmp_path, "pre-batch", f'echo "$STOKER_HOOK $STOKER_HOSTS" >{tmp_path}/said')
    assert run("pre-batch", {"STOKER_HOSTS": "a b"}, tmp_path) == ""
    assert (tmp_path / "said").read_text() == "pre-batch a b\n"


def test_its_no_comes_with_its_last_words(tmp_path: Path) -> None:
    place(tmp_path, "pre-deploy", "echo looking; echo 'it is Friday' >&2; exit 3")
    assert run("pre-deploy", {}, tmp_path) == (f"{tmp_path}/pre-deploy: ended with 3: it is Friday")
    assert TOLD == ["pre-deploy | looking", "pre-deploy | it is Friday"]


def test_it_does_not_hang_a_run_nor_do_its_children(tmp_path: Path) -> None:
    place(tmp_path, "pre-deploy", "sleep 60 & sleep 60")
    assert "did not end within 0 s" in run("pre-deploy", {}, tmp_path, deadline=0.2)


def test_one_that_cannot_be_run_is_told_beforehand(tmp_path: Path) -> None:
    place(tmp_path, "post-batch", "true", mode=0o644)
    [said] = hooks.faults(tmp_path)
    assert said.startswith(f"{tmp_path}/post-batch: is not executable")
    place(tmp_path, "pre-batch", "")
    (tmp_path / "pre-batch").write_text("no program")
    assert "Exec format error" in run("pre-batch", {}, tmp_path)
