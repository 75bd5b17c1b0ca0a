"""What the preflight asks the Hub from the host, and what it makes of the answers."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine

from agent.spec import HostSpec
from fleet.hub_access import Answer, ask, problem
from tests.fleet.samples import spec
from tests.sandbox.hub.faults import Fault
from tests.sandbox.hub_fixtures import FULL, GATED, LIMITED, PRIVATE, PUBLIC, Site, site

HUB = "https://hub.example"


def _said(answer: Answer, token_file: str | None) -> str | None:
    made = spec(model_token_file=token_file, model_hub=HUB)
    return problem(answer, made.model, made.engines["main"])


def test_access_is_no_problem() -> None:
    assert _said(Answer(200, 200), "/t") is None


@pytest.mark.parametrize(
    ("answer", "token", "said"),
    [
        (
            Answer(401, 401),
            "/t",
            "the Hub does not accept the token in /t (401): it is wrong or has expired",
        ),
        (
            Answer(401, 401),
            None,
            "the Hub shows org/model to nobody without a token (401): check engine_model, or set "
            f"model_token_file to the token of an account that has access ({HUB}/org/model)",
        ),
        (
            Answer(403, 200),
            "/t",
            "the Hub refuses org/model to the token in /t (403): accept its licence at "
            f"{HUB}/org/model with that account, and let the token read gated repositories",
        ),
        (
            Answer(403, 200),
            None,
            "the Hub refuses org/model without a token (403): accept its licence at "
            f"{HUB}/org/model and set model_token_file",
        ),
        (
            Answer(404, 404),
            "/t",
            "the Hub has no model org/model that the token in /t may read (404)",
        ),
        (Answer(404, 404), None, "the Hub has no public model org/model (404): check engine_model"),
        (Answer(200, 404), "/t", f"org/model has no commit {'c' * 40}: check engine_revision"),
        (
            Answer(0, 0, "curl: (6) no such host"),
            "/t",
            f"cannot reach the Hub {HUB}: curl: (6) no such host",
        ),
        (
            Answer(429, 429),
            "/t",
            f"the Hub {HUB} limits our requests (429): deploy again in five minutes",
        ),
        (
            Answer(502, 502),
            "/t",
            f"the Hub {HUB} fails with status 502: deploy again later (weights that are complete "
            "already need no Hub)",
        ),
        (Answer(418, 418), "/t", f"the Hub {HUB} answers 418 when asked for org/model"),
    ],
)
def test_every_refusal_says_what_to_do(answer: Answer, token: str | None, said: str) -> None:
    assert _said(answer, token) == said


class Here:
    """This machine, as the host that asks."""

    def __init__(self) -> None:
        self.commands = list[str]()

    def run_shell_command(
        self, command: StringCommand, *, _stdin: str, _timeout: int
    ) -> tuple[bool, CommandOutput]:
        self.commands.append(command.get_raw_value())
        done = subprocess.run(
            ["/bin/sh", "-c", command.get_raw_value()],
            input=_stdin, capture_output=True, text=True, check=False, timeout=_timeout,
        )  # fmt: skip
        lines = [OutputLine("stdout", line) for line in done.stdout.splitlines()]
        lines += [OutputLine("stderr", line) for line in done.stderr.splitlines()]
        return done.returncode == 0, CommandOutput(lines)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        yield running


def _wants(hub: Site, repo: str, **more: Any) -> HostSpec:
    values = {
        "model_hub": hub.endpoint, "engine_model": repo, "engine_revision": hub.commit(repo),
    }  # fmt: skip
    return spec(**{**values, **more})


@pytest.mark.parametrize(
    ("repo", "token", "access"),
    [
        (PUBLIC, "", 200),
        (PUBLIC, "hf_wrong", 401),
        (GATED, FULL, 200),
        (GATED, LIMITED, 403),
        (GATED, "", 401),
        (PRIVATE, LIMITED, 404),
    ],
)
def test_the_host_asks_the_hub(hub: Site, repo: str, token: str, access: int) -> None:
    made, host = _wants(hub, repo), Here()
    answer = ask(host, made.model, made.engines["main"], token)  # type: ignore[arg-type]
    assert answer.access == access
    assert not token or token not in "".join(host.commands)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_hubs_own_trouble_is_no_refusal_of_ours(hub: Site, status: int) -> None:
    hub.hub.control.faults.add(Fault("status", path_contains="auth-check", status=status))
    made = _wants(hub, PUBLIC)
    answer = ask(Here(), made.model, made.engines["main"], "")  # type: ignore[arg-type]
    assert answer.access == status


def test_a_commit_that_is_not_there(hub: Site) -> None:
    made = _wants(hub, PUBLIC, engine_revision="f" * 40)
    answer = ask(Here(), made.model, made.engines["main"], "")  # type: ignore[arg-type]
    assert (answer.access, answer.commit) == (200, 404)


def test_adapters_are_asked_for_too(hub: Site) -> None:
    adapter = f"{GATED}@{hub.commit(GATED)}"
    made = _wants(hub, PUBLIC, engine_lora_adapters={"tuned": adapter})
    engine = made.engines["main"]
    said = problem(ask(Here(), made.model, engine, ""), made.model, engine)  # type: ignore[arg-type]
    assert str(said).startswith(f"the Hub shows {GATED} to nobody without a token (401)")


def test_a_host_with_a_directory_of_weights_asks_nobody() -> None:
    made, host = spec(model_source_dir="/mnt/weights"), Here()
    engine = made.engines["main"]
    answer = ask(host, made.model, engine, "")  # type: ignore[arg-type]
    assert problem(answer, made.model, engine) is None
    assert host.commands == []
