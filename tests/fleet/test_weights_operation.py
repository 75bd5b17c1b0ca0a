"""The operation that fetches weights: where the token goes, and what the operator sees of it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyinfra.api import StringCommand
from pyinfra.api.hiddenvalue import HiddenValue
from pyinfra.connectors.util import CommandOutput, OutputLine

from agent import manifest
from agent.weights.lock import Locked
from agent.weights.plan import File
from fleet.operations.told import Told
from fleet.operations.weights import WeightsComplete, weights
from fleet.render import ROOT
from fleet.stages.model import places
from tests.agent.engines.examples import engine
from tests.agent.host_specs import host, put_weights
from tests.fleet.samples import FakeHost, commands

TOKEN = "hf_t0ken"
# Three programs as systemd has them, for one unit: a journal, a state, and a fetch that says lines.
SYSTEMCTL = """#!/bin/sh
case "$*" in
"start stoker-weights@main.service")
  echo activating >state; echo run-2 >id
  for line in "fetched 1.00 GB of 2.00 GB (50 %)" "verifying 2 files" "$(cat last)"; do
    sleep 0.7; echo "$line" >>journal
  done
  cp "$SECRETS/main/hf-token" seen-token
  echo inactive >state; exit "$(cat code)" ;;
"show -p ActiveState --value stoker-weights@main.service") cat state ;;
"show -p InvocationID --value stoker-weights@main.service") cat id ;;
*) echo "unexpected: $*" >&2; exit 9 ;;
esac
"""
JOURNALCTL = """#!/bin/sh
[ "$1" = --sync ] && exit 0
[ "$5" = _SYSTEMD_INVOCATION_ID=run-2 ] || { echo "of another run: $5"; exit 0; }
cursor=${4#--cursor-file=}
before=$(cat "$cursor" 2>/dev/null || echo 0)
now=$(wc -l <journal)
sed -n "$((before + 1)),${now}p" journal
echo "$now" >"$cursor"
"""


def fetch_command() -> StringCommand:
    """The command of the operation, for weights that are not complete."""
    host = FakeHost({WeightsComplete: False})
    token = HiddenValue(TOKEN)
    wanted = {"/w": ""}
    [command] = commands(
        host, lambda: weights._inner("main", "/p", wanted, code=False, token=token)
    )
    return command


def test_the_token_travels_on_stdin_alone() -> None:
    command = fetch_command()
    assert command.connector_arguments["_stdin"] == TOKEN
    assert TOKEN not in command.get_raw_value()
    assert TOKEN not in repr(command)


def test_complete_weights_need_no_token() -> None:
    host = FakeHost({WeightsComplete: True})
    wanted = {"/w": ""}
    assert (
        commands(
            host,
            lambda: weights._inner("main", "/p", wanted, code=False, token=HiddenValue("t")),
        )
        == []
    )


class Machine:
    """A directory in which the command runs against the three programs above."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.secrets = directory, directory / "secrets"
        for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
            (directory / name).write_text(text)
            (directory / name).chmod(0o755)
        for name, text in (("state", "inactive"), ("id", "run-1"), ("journal", "")):
            (directory / name).write_text(text)

    def run(self, last: str, code: int) -> subprocess.CompletedProcess[str]:
        (self.directory / "last").write_text(last)
        (self.directory / "code").write_text(str(code))
        script = fetch_command().get_raw_value()
        script = script.replace("/run/stoker/secrets", str(self.secrets))
        path = f"{self.directory}:{os.environ['PATH']}"
        return subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=self.directory,
            env={"PATH": path, "SECRETS": str(self.secrets), "TMPDIR": str(self.directory)},
            input=TOKEN + "\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.mark.parametrize(
    ("last", "code"),
    [("/w is complete: 2.00 GB", 0), ("org/name is gated: set model_token_file", 1)],
)
def test_every_line_is_shown_once_and_the_token_is_gone(
    tmp_path: Path, last: str, code: int
) -> None:
    machine = Machine(tmp_path)
    done = machine.run(last, code)
    assert done.returncode == code, done.stderr
    assert done.stdout.splitlines() == [
        "fetched 1.00 GB of 2.00 GB (50 %)", "verifying 2 files", last,
    ]  # fmt: skip
    assert (tmp_path / "seen-token").read_text().strip() == TOKEN
    assert list(machine.secrets.iterdir()) == []
    assert not list(tmp_path.glob("tmp.*"))


class Shell:
    """A host that runs nothing and says two lines."""

    def __init__(self, done: bool) -> None:
        self.done, self.asked = done, dict[str, Any]()

    def run_shell_command(self, _: StringCommand, **asked: Any) -> tuple[bool, CommandOutput]:
        self.asked = asked
        lines = [OutputLine("stdout", "verifying"), OutputLine("stdout", "it is gated")]
        return self.done, CommandOutput(lines)


class State:
    print_input = False


@pytest.mark.parametrize(
    ("done", "left"), [(True, ["verifying", "it is gated"]), (False, ["it is gated"])]
)
def test_output_is_shown_as_it_comes_and_the_error_is_its_last_line(
    done: bool, left: list[str]
) -> None:
    shell = Shell(done)
    result = Told("x", _stdin="y").execute(State(), shell, {"_sudo": True})  # type: ignore[arg-type]
    assert result[0] is done
    assert result[1].output_lines == left
    assert shell.asked == {
        "print_output": True, "print_input": False, "_sudo": True, "_stdin": "y",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("output", "complete"),
    [(["looked"], True), (["/w: there are no complete weights", "looked"], False), ([], False)],
)
def test_weights_are_complete_only_if_it_was_looked(output: list[str], complete: bool) -> None:
    assert WeightsComplete().process(output) is complete


def test_every_repository_of_an_engine_has_its_place() -> None:
    made = engine("vllm", lora_adapters={"sql": f"org/sql@{'e' * 40}"})
    file = File(path="a.safetensors", size=1, blob="b", sha256="c")
    entry = Locked(repo="org/sql", commit="e" * 40, parameters={}, files=(file,))
    assert places("/m", made, (entry,)) == {
        f"/m/stoker--tiny-llama/{made.revision}": "",
        f"/m/org--sql/{'e' * 40}": entry.digest,
    }


@pytest.mark.parametrize(("lock", "complete"), [("", True), ("other", False)])
def test_the_node_is_looked_at_with_its_own_program(
    tmp_path: Path, lock: str, complete: bool
) -> None:
    spec = host(tmp_path, {"main": engine("tgi")})
    directory = put_weights(spec, "main")
    made = manifest.load(directory)
    mtime = (directory / "model.safetensors").stat().st_mtime_ns
    entry = msgspec.structs.replace(made.files["model.safetensors"], mtime=mtime)
    manifest.save(directory, msgspec.structs.replace(made, files={"model.safetensors": entry}))
    places = {str(directory): lock}
    command = WeightsComplete().command(sys.executable, places, code=False).get_raw_value()
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert WeightsComplete().process(done.stdout.splitlines()) is complete
    assert done.stdout.splitlines()[-1] == "looked"
