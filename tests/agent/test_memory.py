"""What is remembered, on a real disk."""

from pathlib import Path

import msgspec
import pytest

from agent.memory import Memory
from agent.model import Phase
from agent.state import NodeState
from agent.xid.incident import Closed
from tests.agent.fakes import Journal, JournalStore
from tests.agent.node import engine
from tests.agent.xid.test_ledger import folded, settled, told

UNREADABLE = NodeState(boot="b", engines={"main": engine(reason="Found")})


@pytest.fixture
def store(tmp_path: Path) -> JournalStore:
    journal: Journal = []
    return JournalStore(tmp_path / "state.json", journal)


def test_a_new_node_has_no_boot_and_no_engine(store: JournalStore) -> None:
    found = Memory(store, "b").load(UNREADABLE, 1.0)
    assert (found.boot, found.engines) == ("", {})


def test_what_was_saved_is_taken_up_and_its_boot_with_it(store: JournalStore) -> None:
    memory = Memory(store, "b")
    memory.change(engines={"main": engine(phase=Phase.SERVING)})
    assert memory.save()
    after = Memory(store, "c")
    found = after.load(UNREADABLE, 1.0)
    assert found.boot == after.state.boot == "b"  # until what the boot asks for is done
    assert after.state.engines["main"].phase is Phase.SERVING


def test_a_new_boot_closes_all_but_latches(store: JournalStore) -> None:
    ledger = settled(folded(told(79), told(54, 30.0)))
    assert [one.xid for one in ledger.open] == [79, 54]
    store.save(NodeState(boot="b", engines={}, ledger=ledger))
    same, other = Memory(store, "b"), Memory(store, "c")
    same.load(UNREADABLE, 1.0)
    other.load(UNREADABLE, 1.0)
    assert len(same.state.ledger.open) == 2
    assert [one.xid for one in other.state.ledger.open] == [54]
    assert other.state.ledger.closed[-1].closed is Closed.BOOT


def test_what_cannot_be_read_is_taken_as_found_and_put_aside(
    store: JournalStore, tmp_path: Path
) -> None:
    (tmp_path / "state.json").write_text("{")
    memory = Memory(store, "b")
    assert memory.load(UNREADABLE, 1.0) == UNREADABLE
    assert memory.state.engines["main"].reason == "Found"
    assert (tmp_path / "state.garbled").exists()


def test_only_what_has_changed_is_written(store: JournalStore) -> None:
    memory = Memory(store, "b")
    memory.put("main", engine())
    assert memory.save()
    assert memory.save()
    assert store.journal == ["save"]
    memory.put("main", engine(reason="Other"))
    assert memory.save()
    assert store.journal == ["save", "save"]


def test_a_save_that_failed_is_said_and_tried_again(store: JournalStore, tmp_path: Path) -> None:
    memory = Memory(store, "b")
    memory.put("main", engine())
    store.broken = True
    assert not memory.save()
    assert not memory.save()
    store.broken = False
    assert memory.save()
    kept = msgspec.json.decode((tmp_path / "state.json").read_bytes(), type=NodeState)
    assert kept == memory.state


def test_a_state_of_before_these_fields_is_read(store: JournalStore, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(b'{"boot": "b", "engines": {}}')
    assert Memory(store, "b").load(UNREADABLE, 1.0) == NodeState(boot="b", engines={})
