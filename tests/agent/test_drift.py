from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from agent.drift.compare import Drifted, Node, compare
from agent.drift.manifest import Directory, File, Link, Manifest, Package, Unit
from agent.drift.node import RealNode

FILE = File(sha256="a", mode="644", user="root", group="root")
WANTED = Manifest(
    files={"/f": FILE},
    directories={"/d": Directory(mode="755", user="root", group="root")},
    links={"/l": Link(target="/t")},
    units={"u.service": Unit(enabled=True, active=True)},
    packages={"p": Package(hold=True)},
)


class FakeNode:
    """A node as the last deploy left it, until a test changes it."""

    def __init__(self) -> None:
        self.paths: dict[str, File | Directory | Link] = {
            **WANTED.files,
            **WANTED.directories,
            **WANTED.links,
        }
        self.unit = dict(WANTED.units)
        self.package = {"p": Package(hold=True, version="1.2")}

    def path(self, path: str) -> File | Directory | Link | None:
        return self.paths.get(path)

    def units(self, names: Sequence[str]) -> Mapping[str, Unit]:
        return {name: self.unit[name] for name in names if name in self.unit}

    def packages(self, names: Sequence[str]) -> Mapping[str, Package]:
        return {name: self.package[name] for name in names if name in self.package}


def _drift(node: Node) -> list[Drifted]:
    return list(compare(WANTED, node))


def test_a_node_as_it_was_left_has_not_drifted() -> None:
    assert _drift(FakeNode()) == []


def test_content_and_mode_of_a_file() -> None:
    node = FakeNode()
    node.paths["/f"] = File(sha256="b", mode="600", user="root", group="root")
    assert [str(d) for d in _drift(node)] == [
        "/f sha256: is b, should be a",
        "/f mode: is 600, should be 644",
    ]


@pytest.mark.parametrize("path", ["/f", "/d", "/l"])
def test_what_is_missing(path: str) -> None:
    node = FakeNode()
    del node.paths[path]
    [drifted] = _drift(node)
    assert (drifted.what, drifted.found) == (path, "missing")


def test_a_file_that_became_a_link() -> None:
    node = FakeNode()
    node.paths["/f"] = Link(target="/elsewhere")
    assert _drift(node) == [Drifted("/f", "a link", "a file")]


def test_a_unit_that_was_stopped_or_disabled() -> None:
    node = FakeNode()
    node.unit["u.service"] = Unit(enabled=False, active=True)
    assert _drift(node) == [Drifted("u.service enabled", "False", "True")]


def test_a_package_that_lost_its_hold() -> None:
    node = FakeNode()
    node.package["p"] = Package(hold=False, version="1.2")
    assert _drift(node) == [Drifted("package p hold", "False", "True")]


def test_a_package_that_is_gone() -> None:
    node = FakeNode()
    node.package = {}
    assert _drift(node) == [Drifted("package p", "missing", "a package")]


def test_real_paths(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(0o640)
    (tmp_path / "l").symlink_to("f")
    node = RealNode()
    file = node.path(str(tmp_path / "f"))
    assert isinstance(file, File)
    assert file.mode == "640"
    assert file.sha256 == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert node.path(str(tmp_path / "l")) == Link(target="f")
    assert isinstance(node.path(str(tmp_path)), Directory)
    assert node.path(str(tmp_path / "none")) is None
