"""The golden commands before the engines' own parsers, wherever those can be run.

`STOKER_VLLM_PYTHON` and `STOKER_SGLANG_PYTHON` name a Python that has the engine's package (how to
make one: `flag_tables.py`); for vLLM the image of its CPU build does, too, once it has been built.
TGI's launcher is no Python: its commands are held against its flags in `test_tgi`.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import pytest

from agent.engines import ENGINES
from tests.agent.engines.examples import SGLANG, VLLM, WEIGHTS, gpus
from tests.sandbox.vllm_cpu.image import REPOSITORY

SCRIPT = Path(__file__).parent / "flag_tables.py"
EXAMPLES = {"vllm": VLLM, "sglang": SGLANG}
PROGRAM = {"vllm": 0, "sglang": len(("sglang", "serve"))}  # words before the parser's own


@pytest.fixture(params=EXAMPLES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def script(kind: str) -> list[str]:
    """The command that runs `flag_tables.py` beside the engine's package; skips without one."""
    if python := os.environ.get(f"STOKER_{kind.upper()}_PYTHON"):
        return [python, str(SCRIPT)]
    if importlib.util.find_spec(kind):
        return [sys.executable, str(SCRIPT)]
    if kind == "vllm" and (image := built()):
        run = ["docker", "run", "--rm", "--interactive", "--network=none", "--entrypoint=python3"]
        return [*run, f"--volume={SCRIPT}:/flag_tables.py:ro", image, "/flag_tables.py"]
    pytest.skip(f"no Python with {kind}'s package here")


def built() -> str | None:
    """The image of vLLM's CPU build, if there is one."""
    shown = ["docker", "images", "--format={{.Repository}}:{{.Tag}}", REPOSITORY]
    try:
        found = subprocess.run(shown, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return None
    return next(iter(found.stdout.split()), None)


def ask(kind: str, *words: str, stdin: str = "") -> str:
    done = subprocess.run(
        [*script(kind), kind, *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def complaints(kind: str, commands: Sequence[Sequence[str]]) -> list[str | None]:
    found: list[str | None] = json.loads(
        ask(kind, "check", stdin=json.dumps(commands)).splitlines()[-1]
    )
    return found


def test_the_engines_own_parser_takes_every_golden_command(kind: str) -> None:
    adapter, examples = ENGINES[kind], EXAMPLES[kind]
    commands = [
        adapter.container(spec, WEIGHTS, gpus(spec)).command[PROGRAM[kind] :]
        for spec in examples.values()
    ]
    unknown = [*commands[0], "--draft-model-id", "x"]
    *found, last = complaints(kind, [*commands, unknown])
    assert dict(zip(examples, found, strict=True)) == dict.fromkeys(examples)
    assert "--draft-model-id" in (last or "")


def test_the_table_is_what_the_engine_says(kind: str) -> None:
    table = resources.files("agent.data").joinpath(f"{kind}-flags.tsv").read_text()
    said = ask(kind)
    if said.splitlines()[0] != table.splitlines()[0]:
        pytest.skip(f"the package here is another version: {said.splitlines()[0]}")
    assert said == table
