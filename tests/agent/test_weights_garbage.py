"""What `stoker-weights` keeps, removes, and finds damaged."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent import manifest
from agent.manifest import Entry, Manifest
from agent.paths import Paths
from agent.spec import EngineSpec, HostSpec
from agent.weights.command import main
from agent.weights.partial import lock_of
from tests.agent.engines.examples import engine
from tests.agent.host_specs import host

OLD, NOW, NEXT, DRAFT = "a" * 40, "b" * 40, "c" * 40, "d" * 40


class Node:
    """A node with weights, a spec that serves `NOW`, and a release that served `OLD`."""

    def __init__(self, directory: Path) -> None:
        self.root, self.etc = directory / "models", directory / "etc"
        self.releases, self.proc = directory / "releases", directory / "proc"
        for path in (self.root, self.etc, self.proc):
            path.mkdir()
        (self.etc / "host.json").write_bytes(self.spec(NOW).dump())

    def spec(self, commit: str, **more: Any) -> HostSpec:
        serves: EngineSpec = engine("vllm", model="org/name", revision=commit, **more)
        return host(self.root, {"main": serves})

    def weights(self, commit: str, name: str = "{}", repo: str = "org--name") -> Path:
        """Complete weights, or whatever else has such a name."""
        directory = self.root / repo / name.format(commit)
        directory.mkdir(parents=True)
        file = directory / "model.safetensors"
        file.write_bytes(b"weights")
        entry = Entry(size=7, sha256=manifest.sha256(file), mtime=file.stat().st_mtime_ns)
        made = Manifest(repo="org/name", commit=commit, code=False, files={file.name: entry})
        manifest.save(directory, made)
        return directory

    def release(self, name: str, spec: HostSpec | bytes | None) -> None:
        (self.releases / name).mkdir(parents=True)
        if spec is not None:
            data = spec if isinstance(spec, bytes) else spec.dump()
            (self.releases / name / "host.json").write_bytes(data)

    def run(self, *arguments: str) -> int:
        return main(arguments, Paths(etc=self.etc), self.releases, self.proc)

    def left(self) -> list[str]:
        return sorted(path.name for path in self.root.glob("*/*") if path.is_dir())


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_what_no_spec_needs_is_shown_and_left(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    old, now = node.weights(OLD), node.weights(NOW)
    size = sum(path.stat().st_size for path in old.iterdir())
    assert node.run("gc") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"unused {old} ({size} bytes): nothing needs it",
        f"keep   {now} ({size} bytes): the host's spec",
        f"{size} bytes would become free: stoker-weights gc --remove",
    ]
    assert node.left() == [OLD, NOW]


def test_it_is_removed_when_asked_for(node: Node) -> None:
    node.weights(OLD)
    node.weights(NOW)
    node.weights(NEXT, "{}.partial")
    assert node.run("gc", "--remove") == 0
    assert node.left() == [NOW]


def test_what_a_retained_release_needs_is_kept(node: Node) -> None:
    for commit in (OLD, NOW, NEXT):
        node.weights(commit)
    node.release("7", node.spec(OLD))
    (node.releases / "current").symlink_to(node.releases / "7")
    assert node.run("gc", "--remove") == 0
    assert node.left() == [OLD, NOW]


def test_drafts_and_adapters_are_needed_too(node: Node) -> None:
    node.weights(NOW)
    node.weights(DRAFT, repo="org--draft")
    node.weights(NEXT, repo="org--tuned")
    more = {
        "speculation": "draft",
        "speculation_model": f"org/draft@{DRAFT}",
        "lora_adapters": {"tuned": f"org/tuned@{NEXT}"},
    }
    (node.etc / "host.json").write_bytes(node.spec(NOW, **more).dump())
    node.run("gc", "--remove")
    assert node.left() == sorted([NOW, DRAFT, NEXT])


def test_what_a_container_has_mounted_is_kept(node: Node) -> None:
    node.weights(OLD)
    (node.proc / "4711").mkdir()
    line = f"1234 1200 8:1 /models/org--name/{OLD} /model ro,relatime master:1 - ext4 /dev/sda1 rw"
    (node.proc / "4711" / "mountinfo").write_text(line + "\n")
    assert node.run("gc", "--remove") == 0
    assert node.left() == [OLD]


def test_a_fetch_that_is_not_complete_is_kept_for_who_needs_it(node: Node) -> None:
    node.weights(NOW, "{}.partial")
    node.run("gc", "--remove")
    assert node.left() == [f"{NOW}.partial"]


def test_what_was_being_removed_is_removed_even_of_a_needed_commit(node: Node) -> None:
    node.weights(NOW, ".{}.gone")
    node.run("gc", "--remove")
    assert node.left() == []


@pytest.mark.parametrize("name", ["main", "notes", "{}-copy", "{}.bak", "0123", "{}0"])
def test_what_is_not_ours_is_not_touched(node: Node, name: str) -> None:
    kept = node.weights(OLD, name)
    (node.root / "org--name" / f"{NEXT}").symlink_to(kept)
    node.weights(OLD, repo="notours")
    node.run("gc", "--remove")
    assert kept.exists()
    assert (node.root / "notours" / OLD).exists()


@pytest.mark.parametrize("spec", [b"{", None])
def test_nothing_is_removed_when_a_release_cannot_be_read(
    node: Node, capsys: pytest.CaptureFixture[str], spec: bytes | None
) -> None:
    node.weights(OLD)
    node.release("7", spec)
    assert node.run("gc", "--remove") == 1
    said = capsys.readouterr().err
    assert "cannot tell which weights are needed" in said
    assert str(node.releases / "7" / "host.json") in said
    assert node.left() == [OLD]


def test_nothing_is_removed_under_a_fetch(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    old = node.weights(OLD, "{}.partial")
    with _fetching(old.with_name(OLD)):
        assert node.run("gc", "--remove") == 1
    assert capsys.readouterr().err == f"stoker-weights: {old} is being fetched right now\n"
    assert node.left() == [old.name]


def test_the_document(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.weights(OLD)
    node.run("gc", "--json")
    [one] = json.loads(capsys.readouterr().out)
    assert one["needed_by"] == []
    assert one["path"].endswith(OLD)


def test_one_flipped_bit_is_found(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = node.weights(OLD), node.weights(NOW)
    assert node.run("verify") == 0
    (bad / "model.safetensors").write_bytes(b"wejghts")
    capsys.readouterr()
    assert node.run("verify") == 1
    assert capsys.readouterr().out.splitlines() == [
        f"good    {good}",
        f"damaged {bad}: model.safetensors; remove these files, and deploy again",
    ]


def test_a_manifest_that_cannot_be_read_is_damage(node: Node) -> None:
    bad = node.weights(NOW)
    (bad / manifest.NAME).write_text("{")
    assert node.run("verify") == 1


def test_wrong_use_is_2() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["gc", "--everything"])
    assert ended.value.code == 2


@contextmanager
def _fetching(directory: Path) -> Iterator[None]:
    with lock_of(directory).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
