"""The real `snapshot_download` against the sandbox's hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

from tests.sandbox.hub.faults import Fault
from tests.sandbox.hub_fixtures import GATED, LIMITED, PUBLIC, Site, site

SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        yield running


def _content(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    names = {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}
    return {name: data for name, data in names.items() if not name.startswith((".cache", "repo."))}


def test_downloads_every_file_unchanged(here: Site) -> None:
    out = Path(here.download())
    assert _content(out) == _content(here.root / PUBLIC)
    assert SHARD in _content(out)


def test_every_request_carries_the_token(here: Site) -> None:
    here.download(GATED)
    assert here.hub.control.log
    assert all(entry["had_token"] for entry in here.hub.control.log)


def test_second_download_of_a_commit_transfers_nothing(here: Site) -> None:
    here.download()
    here.hub.control.log.clear()
    here.download()
    assert here.hub.control.log == []


def test_branch_resolves_to_the_commit(here: Site) -> None:
    assert here.api().resolve_revision(PUBLIC, revision="main").resolved == here.commit()
    here.download(revision="main")


def test_allow_patterns(here: Site) -> None:
    out = Path(here.download(allow_patterns=["*.json"]))
    assert set(_content(out)) == {name for name in _content(here.root / PUBLIC) if "json" in name}
    assert SHARD not in _content(out)


def test_dry_run_tells_the_bytes_to_come(here: Site) -> None:
    plan = here.download(dry_run=True)
    sizes = {name: len(data) for name, data in _content(here.root / PUBLIC).items()}
    assert {entry.filename: entry.file_size for entry in plan} == sizes
    assert all(entry.will_download and entry.commit_hash == here.commit() for entry in plan)
    here.download()
    assert not any(entry.will_download for entry in here.download(dry_run=True))


def test_truncated_body_is_resumed_with_a_range(here: Site) -> None:
    # The library keeps what came in whole chunks of 10 MiB: half of 24 MiB is one such chunk.
    big = here.root / PUBLIC / "big.bin"
    big.write_bytes(b"0123456789abcdef" * (24 << 16))
    here.hub.control.faults.add(Fault("truncate", path_contains="big.bin"))
    out = Path(here.download())
    assert (out / "big.bin").read_bytes() == big.read_bytes()
    gets = [
        entry
        for entry in here.hub.control.log
        if entry["method"] == "GET" and "big" in entry["path"]
    ]
    assert [(entry["status"], entry["range"]) for entry in gets] == [
        (200, None),
        (206, f"bytes={10 << 20}-"),
    ]


def test_reset_connection_fails_the_download_and_a_second_try_completes_it(here: Site) -> None:
    here.hub.control.faults.add(Fault("reset", path_contains=SHARD))
    with pytest.raises(Exception, match="reset by peer"):
        here.download()
    assert not (here.scratch / "out" / SHARD).exists()
    assert _content(Path(here.download())) == _content(here.root / PUBLIC)


def test_too_many_requests_is_retried(here: Site) -> None:
    here.hub.control.faults.add(Fault("status", path_contains=SHARD, status=429, retry_after=0))
    assert _content(Path(here.download())) == _content(here.root / PUBLIC)
    assert 429 in [entry["status"] for entry in here.hub.control.log]


def test_lasting_server_error_is_reported(here: Site) -> None:
    here.hub.control.faults.add(Fault("status", path_contains="auth-check", status=500, times=9))
    with pytest.raises(HfHubHTTPError) as caught:
        here.api().auth_check(PUBLIC)
    assert caught.value.response.status_code == 500


def test_slow_body_arrives_whole(here: Site) -> None:
    here.hub.control.faults.add(Fault("slow", path_contains=SHARD, bytes_per_second=4_000_000))
    assert _content(Path(here.download())) == _content(here.root / PUBLIC)


def test_gated_download_without_access_leaves_no_file(here: Site) -> None:
    with pytest.raises(GatedRepoError):
        here.download(GATED, LIMITED)
    assert _content(here.scratch / "out") == {}


def test_checksums_of_a_download_verify(here: Site) -> None:
    out = Path(here.download())
    verify = here.api().verify_repo_checksums
    good = verify(PUBLIC, revision=here.commit(), local_dir=out)
    assert good.checked_count == len(_content(out))
    assert (good.mismatches, good.missing_paths, good.extra_paths) == ([], [], [])
    (out / SHARD).write_bytes(b"spoilt")
    (out / "config.json").write_bytes(b"{}")
    (out / "tokenizer.json").unlink()
    bad = verify(PUBLIC, revision=here.commit(), local_dir=out)
    assert {entry["path"] for entry in bad.mismatches} == {SHARD, "config.json"}
    assert bad.missing_paths == ["tokenizer.json"]


def test_changed_content_is_a_new_commit(here: Site) -> None:
    old = here.commit()
    (here.root / PUBLIC / "config.json").write_text("{}\n")
    assert here.api().model_info(PUBLIC).sha == here.commit() != old
