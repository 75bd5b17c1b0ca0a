"""`stoker models check` for one model: what is said, and what is waited out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.models import check
from fleet.models.wanted import Wanted, by_hosts
from tests.fleet.samples import spec
from tests.sandbox.hub.faults import Fault
from tests.sandbox.hub.repo import Settings
from tests.sandbox.hub_fixtures import FULL, GATED, LIMITED, PRIVATE, PUBLIC, Site, site


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        yield running


def wanted(here: Site, repo: str, token: str | None = None, **more: Any) -> Wanted:
    path = here.scratch / "token"
    path.write_text((token or "") + "\n")
    values = {
        "hub": here.endpoint,
        "repo": repo,
        "commit": here.commit(repo),
        "token_file": str(path) if token else None,
        "lock_file": None,
        "code": False,
        "hosts": ("h1",),
    }
    return Wanted(**{**values, **more})


def asked(here: Site, one: Wanted) -> tuple[str | None, list[float]]:
    pauses = list[float]()
    found = check.check(one, lambda _: None, pauses.append)
    return found.problem.replace(here.endpoint, "HUB") if found.problem else None, pauses


@pytest.mark.parametrize(
    ("repo", "token", "problem"),
    [
        (PUBLIC, None, None),
        (GATED, FULL, None),
        (
            GATED,
            LIMITED,
            "stoker/gated is gated and the token's account has no access: accept the licence at "
            "HUB/stoker/gated with this account, and let the token read gated repositories",
        ),
        (
            PRIVATE,
            None,
            "HUB has no public model stoker/private: check engine_model, or set model_token_file "
            "if it is private",
        ),
        (
            PRIVATE,
            LIMITED,
            "HUB has no model stoker/private that the token may read: check engine_model",
        ),
        (
            PUBLIC,
            "hf_wrong",
            "HUB does not accept the token: it is wrong or has expired (model_token_file)",
        ),
    ],
)
def test_the_answer_is_one_sentence(
    here: Site, repo: str, token: str | None, problem: str | None
) -> None:
    assert asked(here, wanted(here, repo, token)) == (problem, [])


def test_a_commit_that_is_not_there(here: Site) -> None:
    problem, _ = asked(here, wanted(here, PUBLIC, commit="f" * 40))
    assert problem == f"{PUBLIC} has no commit {'f' * 40}: check engine_revision"


def test_a_model_that_was_taken_down(here: Site) -> None:
    one = wanted(here, PUBLIC)
    Settings(disabled=True).save(here.root / PUBLIC)
    assert asked(here, one)[0] == f"{PUBLIC} was taken down at HUB"


@pytest.mark.parametrize(
    ("status", "times", "problem", "pauses"),
    [
        (429, 1, None, [7]),
        (429, 3, "HUB limits our requests", [7, 7]),
        (500, 3, "HUB fails with status 500", [2, 5]),
        (503, 1, None, [7]),
    ],
)
def test_a_busy_hub_is_waited_for_and_then_given_up(
    here: Site, status: int, times: int, problem: str | None, pauses: list[float]
) -> None:
    fault = Fault("status", path_contains="auth-check", status=status, retry_after=7, times=times)
    here.hub.control.faults.add(fault)
    assert asked(here, wanted(here, PUBLIC)) == (problem, pauses)


def test_a_hub_that_is_away(here: Site) -> None:
    problem, pauses = asked(here, wanted(here, PUBLIC, hub="http://127.0.0.1:9"))
    assert problem
    assert problem.startswith("http://127.0.0.1:9 cannot be reached: ")
    assert pauses == [2, 5]


def test_a_token_that_cannot_be_read(here: Site) -> None:
    problem, _ = asked(here, wanted(here, PUBLIC, token_file="/nonexistent"))
    assert problem
    assert problem.startswith("model_token_file = '/nonexistent': ")


def test_a_model_of_many_hosts_is_asked_for_once() -> None:
    adapter = f"org/tuned@{'d' * 40}"
    one, two = spec(), spec(engine_lora_adapters={"x": adapter}, engine_trust_remote_code=True)
    found = by_hosts([one, two])
    assert [(w.repo, w.code, w.hosts) for w in found] == [
        ("org/model", True, ("gpu-1",)),
        ("org/tuned", True, ("gpu-1",)),
    ]
    assert {w.hub for w in by_hosts([one], hub="https://mirror.example")} == {
        "https://mirror.example"
    }
