"""Fetch the weights of one engine: `python -m agent.weights NAME`."""

import os
import shutil
import sys
import time
from pathlib import Path

import msgspec

from agent import spec
from agent.errors import ActionError
from agent.paths import Paths

CREDENTIAL = "hf-token"


def prepare_library(partial: Path) -> None:
    """Set what `huggingface_hub` reads when it is imported: quiet, no home directory, no caches."""
    os.environ |= {
        "HF_HOME": str(partial / ".cache" / "home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_XET_CHUNK_CACHE_SIZE_BYTES": "0",
    }


def read_token(credentials: str | None) -> str | None:
    """Return the token that systemd hands over; None when there is none or it is empty."""
    if not credentials:
        return None
    try:
        return (Path(credentials) / CREDENTIAL).read_text().strip() or None
    except FileNotFoundError:
        return None


def fetch(name: str, paths: Paths) -> None:
    """Fetch the weights of engine `name`; raise `ActionError` with a sentence for the operator."""
    try:
        host = spec.load(paths.spec.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise ActionError(f"{paths.spec}: {error}") from error
    if name not in host.engines:
        raise ActionError(f"{paths.spec}: no engine {name!r}; there are {', '.join(host.engines)}")
    engine = host.engines[name]
    directory = Path(spec.weights_path(host.model, engine))
    token = read_token(os.environ.get("CREDENTIALS_DIRECTORY"))
    prepare_library(directory.with_name(directory.name + ".partial"))

    # Only now: the library reads its settings when it is imported.
    from agent.weights.fetch import Fetch, World  # noqa: PLC0415
    from agent.weights.hub import HuggingFace  # noqa: PLC0415
    from agent.weights.trouble import Asked  # noqa: PLC0415

    asked = Asked(
        hub=host.model.hub, repo=engine.model, commit=engine.revision, token=token is not None
    )
    world = World(
        hub=HuggingFace(host.model.hub, engine.model, engine.revision, token),
        free=lambda directory: shutil.disk_usage(directory).free,
        say=lambda line: print(line, flush=True),
        pause=time.sleep,
    )
    Fetch(asked, directory, world, code=engine.trust_remote_code).run()


def run(name: str, paths: Paths) -> int:
    """Fetch; return the exit code. A failure is the last line on stderr."""
    try:
        fetch(name, paths)
    except ActionError as failure:
        print(failure, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], Paths()))
