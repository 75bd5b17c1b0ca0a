"""Files of others with anything in them: no UTF-8, or nested deeper than a reader goes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent import audit, hostlock, maintenance, manifest, reports
from agent.drift import report
from agent.errors import ActionError, SourceError
from agent.gateway_log import parse
from agent.maintenance import Maintenance
from agent.outs import Outs, Placement
from agent.paths import Paths
from agent.planner import checkpoint
from agent.releases import _about
from agent.reports import Exit, Started
from agent.webhook_queue import Queue
from agent.webhook_spool import Spool
from agent.weights import lock
from agent.weights.__main__ import CREDENTIAL, engine_of, read_token
from agent.weights.garbage import mounted

DEEP = b"[" * 200_000


def _refusal(read: Callable[[], object], error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        read()
    return str(caught.value)


@pytest.mark.parametrize("content", [b'{"x": ' + DEEP, b'{"%s": "\xff"}'], ids=["deep", "bytes"])
@pytest.mark.parametrize(
    ("read", "field"),
    [
        (lambda path: reports.read(path, Started), "image"),
        (lambda path: reports.read(path, Exit), "message"),
        (report.read, "release"),
    ],
)
def test_reports_of_others(
    tmp_path: Path, read: Callable[[Path], object], field: str, content: bytes
) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content.replace(b"%s", field.encode()))
    assert str(path) in _refusal(lambda: read(path), SourceError)


WAYS = pytest.mark.parametrize("content", [b'{"x": ' + DEEP, b"\xff"], ids=["deep", "bytes"])


@WAYS
def test_what_is_only_remembered_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    for queue in (content, b'{"waiting": [{"id": "\xff"}]}'):
        path.write_bytes(queue)
        assert Spool(path).load() == Queue()
    for placement in (content, b'{"out": ["\xff"]}'):
        path.write_bytes(placement)
        assert Outs(path).read() == Placement()


def test_a_lock_of_a_host_that_is_garbled_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    for content in (DEEP, b'{"token": "\xff"}'):
        path.write_bytes(content)
        assert hostlock.act(path, "show", {}, 0.0) == (None, 0)


def test_lines_of_the_audit_log_that_are_garbled_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    bad = b'{"at": 1, "event": "\xff"}\n{"at": 2, "event": "b", "x": ' + b"[" * 5000 + b"\n"
    path.write_bytes(bad + b'{"at": 3, "event": "c"}\n')
    assert [one.event for one in audit.tail(path, 9)] == ["c"]


def test_a_maintenance_that_is_garbled_counts_by_its_text(tmp_path: Path) -> None:
    path = tmp_path / "maintenance"
    path.write_bytes(b'{"by": ' + DEEP)
    found = maintenance.read(path, 1e12)
    assert isinstance(found, Maintenance)
    assert found.reason.startswith('{"by": [')


@WAYS
def test_weights_whose_manifest_is_garbled_are_not_complete(tmp_path: Path, content: bytes) -> None:
    name = tmp_path / manifest.NAME
    for text in (content, b'{"repo": "\xff"}'):
        name.write_bytes(text)
        assert f"{name} cannot be read" in (manifest.quick_fault(tmp_path) or "")
        assert manifest.damaged(tmp_path) == [manifest.NAME]


@pytest.mark.parametrize("content", [b'[{"repo": "\xff"}]', b'[{"x": ' + DEEP])
def test_a_lock_of_models_that_is_garbled(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "models.lock"
    path.write_bytes(content)
    assert str(path) in _refusal(lambda: lock.load(path), ActionError)


@pytest.mark.parametrize("content", [b'{"config": ' + DEEP, b'{"a": "\xff"}'])
def test_weights_that_tell_nothing_the_planner_can_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    assert str(tmp_path) in _refusal(lambda: checkpoint.read(tmp_path), SourceError)
    start = len(content).to_bytes(8, "little") + content
    assert "not the header" in _refusal(lambda: checkpoint.header(start), SourceError)


@pytest.mark.parametrize("content", [b'{"id": "\xff"}', b'{"x": ' + DEEP])
def test_a_release_that_tells_nothing_of_itself(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "about.json").write_bytes(content)
    assert "about.json" in _refusal(lambda: _about(tmp_path), SourceError)


def test_a_line_of_the_gateway_that_is_garbled() -> None:
    for line in (b'<1>x: {"model": "\xff"}', b'<1>x: {"x": ' + DEEP):
        assert _refusal(lambda line=line: parse(line), ValueError)  # type: ignore[misc]


def test_a_mount_point_may_be_called_anything(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    line = b"36 35 98:0 /models--a/b /mnt/\xff\x85\x0c rw - ext4 /dev/sda rw\n"
    (tmp_path / "1/mountinfo").write_bytes(line + line.replace(b"/models--a", b"/models--c"))
    assert mounted(tmp_path) == {"/models--a/b", "/models--c/b"}


def test_a_token_and_a_spec_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / CREDENTIAL).write_bytes(b"\xff")
    assert "no text" in _refusal(lambda: read_token(str(tmp_path)), ActionError)
    paths = Paths(etc=tmp_path)
    paths.spec.write_bytes(b'{"x": ' + DEEP)
    assert str(paths.spec) in _refusal(lambda: engine_of("main", paths), ActionError)
