"""pyinfra's own command line, from the root of the repository: no silent success, no trace."""

import subprocess
import sys
from pathlib import Path

import pytest
from pyinfra.api.config import Config
from pyinfra.api.state import State

from fleet.guard import StopAtFirstFailure
from fleet.render import ROOT

PYINFRA = Path(sys.executable).with_name("pyinfra")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PYINFRA), *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inventory/nope.py", "deploy.py", "-y"], "no host was selected"),
        (["inventory/nope.py", "deploy.py", "-y", "--json"], "no host was selected"),
        (["@fake/x", "deploy.py", "-y", "--limit", "y"], "no host was selected"),
        (["@fake/x", "deploy.py"], "there is no terminal"),
    ],
)
def test_a_run_that_can_do_nothing_is_an_error(arguments: list[str], said: str) -> None:
    done = _run(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_host_without_its_settings_is_refused_before_anything_is_done() -> None:
    done = _run("@fake/x", "deploy.py", "-y")
    assert done.returncode == 1
    assert "refused, nothing was changed on any host" in done.stderr
    assert "engine_image: is missing" in done.stderr
    assert "Starting operation" not in done.stderr
    assert "Traceback" not in done.stderr


def test_looking_at_an_inventory_is_no_deploy() -> None:
    assert _run("@fake/x", "debug-inventory").returncode == 0


def test_the_first_operation_that_fails_is_the_last() -> None:
    state = State()
    state.config = Config()
    assert state.config.FAIL_PERCENT is None
    StopAtFirstFailure().operation_start(state, "any")
    assert state.config.FAIL_PERCENT == 0
