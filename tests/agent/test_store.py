"""The state file: complete or not there, on the disk before it counts, and never thrown away."""

from pathlib import Path

import pytest

from agent.errors import ActionError, SourceError
from agent.model import EngineState, Goal, Phase
from agent.state import NodeState
from agent.store import Store, boot_identity

STATE = NodeState(
    boot="b",
    engines={
        "main": EngineState(
            phase=Phase.DRAINED,
            since=1.5,
            reason="R",
            message="m",
            by="alice",
            goal=Goal.MAINTENANCE,
            starts=(1.0, 2.0),
        )
    },
)


def test_a_new_node_has_no_state(tmp_path: Path) -> None:
    assert Store(tmp_path / "state.json").load() is None


def test_what_is_saved_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "agent" / "state.json"
    Store(path).save(STATE)
    assert Store(path).load() == STATE
    assert [p.name for p in path.parent.iterdir()] == ["state.json"]


def test_a_save_reaches_the_disk_before_it_counts(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    synced: list[tuple[str, bool]] = []

    def sync(file: int) -> None:
        synced.append((Path(f"/proc/self/fd/{file}").readlink().name, path.exists()))

    Store(path, sync).save(STATE)
    assert synced == [("state.json.new", False), (tmp_path.name, True)]


def test_a_save_that_fails_leaves_what_was(tmp_path: Path) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "state.json"
    Store(path).save(STATE)
    with pytest.raises(ActionError, match="No space left on device"):
        Store(path, full).save(NodeState(boot="other", engines={}))
    assert Store(path).load() == STATE


def test_a_directory_that_cannot_be_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ActionError, match="cannot save the agent's state"):
        Store(tmp_path / "file" / "state.json").save(STATE)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b'{"boot": 1}', b'{"engines": {}}'),
        b'{"boot": "\xff", "engines": {}}',
        b'{"boot": "b", "engines": {}, "of a later version": ' + b"[" * 5000,
    ],
)
def test_a_garbled_file_is_put_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="put aside as"):
        Store(path).load()
    assert path.with_suffix(".garbled").read_bytes() == content
    assert Store(path).load() is None


def test_a_file_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.mkdir()
    with pytest.raises(SourceError, match="Is a directory"):
        Store(path).load()
    assert path.is_dir()


def fake_proc(path: Path, start: int) -> Path:
    (path / "sys/kernel/random").mkdir(parents=True)
    (path / "sys/kernel/random/boot_id").write_text("kernel\n")
    (path / "1").mkdir()
    fields = ["S", *("0" for _ in range(18)), str(start), "0"]
    (path / "1/stat").write_text(f"1 (a ) name) {' '.join(fields)}\n")
    return path


def test_a_boot_is_told_by_the_kernel_and_by_process_1(tmp_path: Path) -> None:
    assert boot_identity(fake_proc(tmp_path / "a", 4711)) == "kernel-4711"
    assert boot_identity(fake_proc(tmp_path / "b", 4712)) == "kernel-4712"
