"""With a rehearsal a run does what it does without one, and asks less: real pyinfra, real files."""

import grp
import os
import pwd
import shutil
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyinfra
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.operations import run_ops
from pyinfra.api.state import State
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state

from agent.drift.manifest import Link
from fleet import manifest, memo, rehearsal
from fleet.facts.paths import PathStates, Text
from fleet.operations.directories import directories
from fleet.operations.file import file
from fleet.operations.link import absent, link

ME = f"{pwd.getpwuid(os.getuid()).pw_name}:{grp.getgrgid(os.getgid()).gr_name}"
WAITED: list[str] = []
PATHS = ("d", "d/one", "d/two", "d/link", "copy", "stray", "count")


@operation()
def follows(source: str, target: str) -> Generator[StringCommand]:
    """Make `target` a copy of what lies at `source` when its turn comes, and look once more."""
    text = host.get_fact(Text, path=source)
    if host.get_fact(Text, path=target) == text:
        host.noop("it follows")
        return
    yield StringCommand("rm -rf", QuoteString(target), "; cp", QuoteString(source), target)
    found = host.get_fact(PathStates, paths=[target])
    yield StringCommand("test", str(len(found)), "= 1")


@operation()
def fails() -> Generator[StringCommand]:
    """Cannot even be asked before `count` is there."""
    if not host.get_fact(Text, path=f"{host.data.root}/count"):
        raise ValueError("nothing to count")
    yield from ()


@operation()
def notes(path: str) -> Generator[StringCommand]:
    """Collect `path` where it is there; and it would wait for what it waits for, if it may."""
    manifest.of(host).links.update(
        {one: Link(target="") for one in host.get_fact(PathStates, paths=[path])}
    )
    if host.state.is_executing:
        WAITED.append(path)
    yield from ()


def stages(root: str, *, quarrel: bool) -> None:
    """Deploy; with a `quarrel` two operations undo each other's work in every run."""
    directories(name="make", wanted={f"{root}/d": ("755", ME)})
    file(name="one", path=f"{root}/d/one", content="1\n", owner=ME)
    file(name="two", path=f"{root}/d/two", content="2\n", mode="600", owner=ME)
    link(name="link", path=f"{root}/d/link", target="one")
    file(name="count", path=f"{root}/count", content="3\n", owner=ME)
    fails(name="look at the count")
    follows(name="follow", source=f"{root}/d/one", target=f"{root}/copy")
    absent(name="away", path=f"{root}/stray")
    notes(name="note", path=f"{root}/stray")
    if not quarrel:
        return
    follows(name="follow again", source=f"{root}/d/two", target=f"{root}/copy")
    follows(name="and back", source=f"{root}/d/one", target=f"{root}/copy")


class Ran:
    """What a run sent for each operation, and how many commands it took with all looks."""

    def __init__(self, root: Path, *, rehearsed: bool, quarrel: bool = True) -> None:
        self.sent: list[list[str]] = []
        self.commands, self.failed = 0, False
        inventory, config = Inventory((["@local"], {"root": str(root)})), Config()
        state = State(check_for_changes=False)
        state.init(inventory, config)
        with ctx_state.use(state), ctx_inventory.use(inventory), ctx_config.use(config):
            connect_all(state)
            [one] = state.activated_hosts
            with ctx_host.use(one):
                stages(str(root), quarrel=quarrel)
            self._run(state, one, str(root), rehearsed=rehearsed)
            disconnect_all(state)

    def _run(self, state: State, one: Any, root: str, *, rehearsed: bool) -> None:
        real = one.connector.run_shell_command

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.commands += 1
            return real(*args, **kwargs)

        one.connector.run_shell_command = counted
        if rehearsed:
            rehearsal.before_first(state)
            rehearsal.before_first(state)
        try:
            run_ops(state)
        except (PyinfraError, ValueError):
            self.failed = True
        for key in state.get_op_order():
            commands = getattr(state.ops[one][key].operation_meta, "_commands", None) or []
            self.sent.append([str(command).replace(root, "ROOT") for command in commands])
        self.manifest = str(manifest.of(one).__dict__).replace(root, "ROOT")


@pytest.fixture(autouse=True)
def _as_a_library() -> Any:
    before, pyinfra.is_cli = pyinfra.is_cli, False
    yield
    pyinfra.is_cli = before


def tamper(root: Path, path: str, how: str) -> None:
    at = root / path
    if how == "gone":
        shutil.rmtree(at) if at.is_dir() and not at.is_symlink() else at.unlink(missing_ok=True)
    elif how == "mode" and at.exists():
        at.chmod(0o711)
    elif how == "other" and at.parent.is_dir() and not at.is_dir():
        at.unlink(missing_ok=True)
        at.write_text("other\n")
    elif how == "link" and at.parent.is_dir() and not at.is_dir():
        at.unlink(missing_ok=True)
        at.symlink_to("/nowhere")


def tree(root: Path) -> list[tuple[str, int, str]]:
    return [
        (
            str(path.relative_to(root)),
            path.lstat().st_mode,
            str(path.readlink())
            if path.is_symlink()
            else path.read_text()
            if path.is_file()
            else "",
        )
        for path in sorted(root.rglob("*"))
    ]


@settings(max_examples=10, deadline=None)
@given(st.dictionaries(st.sampled_from(PATHS), st.sampled_from(["gone", "mode", "other", "link"])))
def test_it_does_the_same_whatever_has_drifted(drift: dict[str, str]) -> None:
    with TemporaryDirectory() as directory:
        roots = [Path(directory) / name for name in ("usual", "rehearsed")]
        runs = []
        for root in roots:
            root.mkdir()
            Ran(root, rehearsed=False)
            for path, how in sorted(drift.items(), reverse=True):
                tamper(root, path, how)
            runs.append(Ran(root, rehearsed=root.name == "rehearsed"))
        usual, rehearsed = runs
        assert rehearsed.sent == usual.sent
        assert rehearsed.failed == usual.failed
        assert rehearsed.manifest == usual.manifest
        assert tree(roots[0]) == tree(roots[1])


def test_a_bare_host_is_brought_up_the_same(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("usual", "rehearsed")]
    for root in roots:
        root.mkdir()
        (root / "stray").touch()
    usual, rehearsed = (Ran(r, rehearsed=r.name == "rehearsed") for r in roots)
    assert usual.sent == rehearsed.sent
    assert sum(map(len, usual.sent)) > 8
    assert usual.manifest == rehearsed.manifest
    assert tree(roots[0]) == tree(roots[1])


def test_a_run_without_drift_takes_a_few_commands(tmp_path: Path) -> None:
    Ran(tmp_path, rehearsed=False, quarrel=False)
    usual = Ran(tmp_path, rehearsed=False, quarrel=False)
    WAITED.clear()
    rehearsed = Ran(tmp_path, rehearsed=True, quarrel=False)
    assert len(WAITED) == 1
    assert usual.sent == rehearsed.sent == [[]] * 9
    assert usual.commands == 10
    assert rehearsed.commands == 2  # an operation that looks twice makes it look twice


def test_a_host_that_comes_to_rest_is_looked_at_again(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("usual", "rehearsed")]
    for root in roots:
        root.mkdir()
        Ran(root, rehearsed=False, quarrel=False)
        (root / "d/one").write_text("other\n")
        (root / "copy").write_text("1\n")
    usual, rehearsed = (Ran(r, rehearsed=r.name == "rehearsed", quarrel=False) for r in roots)
    assert usual.sent == rehearsed.sent
    assert sum(map(len, usual.sent)) == 1
    assert usual.commands == 11
    # Two looks and the command; two operations' own looks; two looks for all that follow.
    assert rehearsed.commands == 7


def test_where_everything_changes_few_looks_are_in_vain() -> None:
    known = memo.Memo(lambda *_: None, lambda *_: None)  # type: ignore[arg-type]
    rest = rehearsal._Rest(known)
    looks = 0
    for _ in range(40):
        looks += rest.worth_it()
        known.forget()
        looks += sum(rest.worth_it() for _ in range(3))
    assert looks == 2


def test_it_looks_at_pyinfra_where_pyinfra_asks() -> None:
    """A host's own methods are what facts and commands go through: a memo stands in for them."""
    inventory = Inventory((["@local"], {}))
    state = State(check_for_changes=False)
    state.init(inventory, Config())
    one: Any = next(iter(inventory))
    with ctx_state.use(state):
        connect_all(state)
        known = memo.attach(one)
        assert memo.attach(one) is known
        with ctx_host.use(one):
            for kind, arguments in (
                (Text, {"path": "/etc/hostname"}),
                (PathStates, {"paths": ["/"]}),
            ):
                with memo.rehearsing(), pytest.raises(memo.UnansweredError):
                    host.get_fact(kind, **arguments)
            assert known.look()
            one.connector.run_shell_command = None
            assert host.get_fact(PathStates, paths=["/"]).keys() == {"/"}
            assert host.get_fact(Text, path="/etc/hostname").strip()
