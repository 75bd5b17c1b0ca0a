"""The real `HfApi` against the sandbox's hub: documents, access rules, error classes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.sandbox.hub import repo
from tests.sandbox.hub_fixtures import FULL, GATED, LIMITED, PRIVATE, PUBLIC, Site, site


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("hub"), page_size=3) as running:
        yield running


def test_model_info(here: Site) -> None:
    info = here.api().model_info(PUBLIC, files_metadata=True)
    assert (info.sha, info.gated, info.private) == (here.commit(), False, False)
    assert info.safetensors is not None
    assert info.safetensors.parameters == {"BF16": info.safetensors.total}
    lfs = {file.rfilename: file.lfs for file in info.siblings or []}
    assert lfs["config.json"] is None
    assert lfs["model-00001-of-00002.safetensors"] is not None
    assert lfs["model-00001-of-00002.safetensors"].size > 100_000


def test_parameters_match_the_headers_read_by_ranges(here: Site) -> None:
    metadata = here.api().get_safetensors_metadata(PUBLIC)
    total = here.api().model_info(PUBLIC).safetensors
    assert total is not None
    assert metadata.parameter_count == total.parameters
    assert metadata.sharded


def test_tree_comes_in_pages(here: Site) -> None:
    (here.root / PUBLIC / "extra/deep").mkdir(parents=True, exist_ok=True)
    (here.root / PUBLIC / "extra/deep/note.txt").write_text("x")
    every = {entry.path for entry in here.api().list_repo_tree(PUBLIC, recursive=True)}
    assert every >= {"extra", "extra/deep", "extra/deep/note.txt", "config.json"}
    assert len(every) > 3  # the page size of this hub
    top = {entry.path for entry in here.api().list_repo_tree(PUBLIC)}
    assert "extra" in top
    assert "extra/deep" not in top
    below = {entry.path for entry in here.api().list_repo_tree(PUBLIC, "extra", recursive=True)}
    assert below == {"extra/deep", "extra/deep/note.txt"}


def test_settings_file_is_not_part_of_the_model(here: Site) -> None:
    assert not here.api().file_exists(GATED, repo.SETTINGS_FILE)
    assert here.api().file_exists(GATED, "config.json")


def test_refs_and_whoami(here: Site) -> None:
    (branch,) = here.api().list_repo_refs(PUBLIC).branches
    assert (branch.name, branch.target_commit) == ("main", here.commit())
    assert here.api(FULL).whoami()["name"] == "sandbox-full"


def test_gated_model_shows_its_metadata_but_not_its_files(here: Site) -> None:
    assert here.api(None).model_info(GATED).gated == "manual"
    for token, status in ((None, 401), (LIMITED, 403)):
        with pytest.raises(GatedRepoError) as caught:
            here.api(token).auth_check(GATED)
        assert caught.value.response.status_code == status
    here.api(FULL).auth_check(GATED)


@pytest.mark.parametrize("repo_id", [PRIVATE, "stoker/absent", "absent/absent"])
@pytest.mark.parametrize(("token", "status"), [(None, 401), (LIMITED, 404)])
def test_private_looks_like_absent(
    here: Site, repo_id: str, token: str | None, status: int
) -> None:
    for call in (here.api(token).model_info, here.api(token).auth_check):
        with pytest.raises(RepositoryNotFoundError) as caught:
            call(repo_id)
        assert caught.value.response.status_code == status
        assert not isinstance(caught.value, GatedRepoError)


def test_private_model_is_open_to_its_account(here: Site) -> None:
    assert here.api(FULL).model_info(PRIVATE).private is True


def test_unknown_token_is_refused_even_for_a_public_model(here: Site) -> None:
    with pytest.raises(HfHubHTTPError, match="Invalid credentials") as caught:
        here.api("hf_wrong").model_info(PUBLIC)
    assert not isinstance(caught.value, RepositoryNotFoundError)
    assert caught.value.response.status_code == 401


def test_unknown_revision(here: Site) -> None:
    with pytest.raises(RevisionNotFoundError):
        here.api().model_info(PUBLIC, revision="0" * 40)
    with pytest.raises(RevisionNotFoundError):
        here.download(revision="no-such-branch")


def test_unknown_file(here: Site) -> None:
    with pytest.raises(EntryNotFoundError):
        here.api().hf_hub_download(PUBLIC, "absent.bin", cache_dir=here.scratch / "cache")


def test_disabled_model(here: Site) -> None:
    (here.root / "stoker/gone").mkdir()
    repo.Settings(disabled=True).save(here.root / "stoker/gone")
    with pytest.raises(DisabledRepoError):
        here.api().model_info("stoker/gone")


def test_range_outside_the_file_is_416(here: Site) -> None:
    request = urllib.request.Request(f"{here.endpoint}/{PUBLIC}/resolve/main/config.json")
    request.add_header("Range", "bytes=999999-")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 416


def _control(here: Site, method: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(here.endpoint + path, data, method=method)
    with urllib.request.urlopen(request) as response:
        return json.loads(response.read())


def test_control_paths(here: Site) -> None:
    _control(here, "DELETE", "/_sim/log")
    fault = {"kind": "status", "status": 500, "path_contains": "auth-check", "times": 2}
    _control(here, "POST", "/_sim/faults", fault)
    with pytest.raises(HfHubHTTPError):
        here.api().auth_check(PUBLIC)
    _control(here, "DELETE", "/_sim/faults")
    here.api(None).auth_check(PUBLIC)
    seen = [(entry["status"], entry["had_token"]) for entry in _control(here, "GET", "/_sim/log")]
    assert seen == [(500, True), (200, False)]


def test_bad_fault_is_refused_with_a_sentence(here: Site) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        _control(here, "POST", "/_sim/faults", {"kind": "explode"})
    assert caught.value.code == 400
    assert "kind = 'explode': expected one of" in caught.value.read().decode()
