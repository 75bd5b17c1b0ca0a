"""depot.json, and what counts as served."""

from functools import partial
from pathlib import Path

from tests.sandbox.depot import Depot
from tests.sandbox.description import Description
from tests.sandbox.layout import fleet_layout
from tests.sandbox.models import make_tiny
from tests.sandbox.together import together


def test_entries_written_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    description = Description(tmp_path / "depot.json", {"hub": "https://hub"})
    together(*(partial(description.add, "models", f"model-{i}", "commit") for i in range(20)))
    known = Description(tmp_path / "depot.json", {"hub": "https://hub"}).read()
    assert len(known["models"]) == 20
    assert known["hub"] == "https://hub"
    assert known["images"] == {}


def test_a_model_is_served_once_it_is_complete_and_recorded(tmp_path: Path) -> None:
    depot = Depot(fleet_layout("demo", tmp_path))
    depot.root.mkdir(parents=True)
    make_tiny(tmp_path / "model")
    assert not depot.has_model("org/tiny")
    commit = depot.add_model("org/tiny", tmp_path / "model", gated=True)
    assert depot.has_model("org/tiny")
    assert depot.description.read()["models"] == {"org/tiny": commit}
    depot.description.path.unlink()
    assert not depot.has_model("org/tiny")
