"""What a check asks of the node, and how often."""

from typing import Any

from agent.drift.manifest import File, Link, Manifest, Package, Unit
from fleet.drift.memo import Memo
from fleet.facts.digest import StartedWith
from fleet.facts.packages import Installed
from fleet.facts.paths import PathStates
from fleet.facts.units import UnitStates

FILE = File(sha256="a", mode="644", user="root", group="root")
MANIFEST = Manifest(
    files={"/a": FILE, "/b": FILE},
    links={"/l": Link(target="/t")},
    units={"u.service": Unit(active=True)},
    packages={"p": Package()},
)


class Asked:
    """Answers with what was asked for, but for what is called "/gone"; remembers what was."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, dict[str, Any]]] = []

    def get_fact(self, kind: Any, **kwargs: Any) -> Any:
        self.calls.append((kind, kwargs))
        names = kwargs.get("paths") or kwargs.get("names") or []
        return {name: f"state of {name}" for name in names if name != "/gone"}


def test_lists_are_asked_for_all_at_once() -> None:
    asked = Asked()
    memo = Memo(asked.get_fact, MANIFEST)
    assert memo.get_fact(PathStates, paths=["/b"]) == {"/b": "state of /b"}
    assert list(memo.get_fact(PathStates, paths=["/l", "/a"])) == ["/l", "/a"]
    assert memo.get_fact(UnitStates, names=["u.service"])
    assert memo.get_fact(Installed, names=["p"])
    assert [kwargs for _, kwargs in asked.calls] == [
        {"paths": ["/a", "/b", "/l"]},
        {"names": ["u.service"]},
        {"names": ["p"]},
    ]


def test_what_the_manifest_does_not_name_is_asked_for_by_itself_and_once() -> None:
    asked = Asked()
    memo = Memo(asked.get_fact, MANIFEST)
    memo.get_fact(PathStates, paths=["/a"])
    for _ in range(2):
        assert memo.get_fact(PathStates, paths=["/gone", "/a"]) == {"/a": "state of /a"}
    assert [kwargs["paths"] for _, kwargs in asked.calls[1:]] == [["/gone"]]


def test_any_other_fact_is_asked_for_once_for_each_of_its_arguments() -> None:
    asked = Asked()
    memo = Memo(asked.get_fact, MANIFEST)
    for files in (["x"], ["x"], ["y"]):
        memo.get_fact(StartedWith, files=files, stamp="s")
    assert len(asked.calls) == 2
    memo.get_fact(PathStates, paths=["/a"], _timeout=3)  # not to be mixed with the others
    memo.get_fact(PathStates, paths=["/a"])
    assert len(asked.calls) == 4
