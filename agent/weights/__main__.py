"""Fetch the weights of one engine: `python -m agent.weights NAME DIRECTORY`.

The directory holds the spec (`host.json`) and the lock of a host that is going to serve them.
"""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agent import spec
from agent.engine_spec import folder
from agent.errors import GARBLED, ActionError
from agent.paths import Paths
from agent.weights import lock
from agent.weights.lock import Locked

if TYPE_CHECKING:
    from agent.weights.origin import Origin
    from agent.weights.trouble import Asked

CREDENTIAL = "hf-token"
LIBRARY = ".library"  # below the root of all weights: what `huggingface_hub` calls its home


def prepare_library(home: Path) -> None:
    """Set what `huggingface_hub` reads when it is imported: quiet, a home of ours, no caches."""
    os.environ |= {
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_XET_CHUNK_CACHE_SIZE_BYTES": "0",
        # By itself it insists for minutes (hf_xet 1.8: 260 s, measured) before plain HTTP is tried.
        "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "2",
    }


def read_token(credentials: str | None) -> str | None:
    """Return the token that systemd hands over; None when there is none or it is empty."""
    if not credentials:
        return None
    try:
        return (Path(credentials) / CREDENTIAL).read_text().strip() or None
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise ActionError(f"the token of the Hub is no text: {error}") from error


def engine_of(name: str, paths: Paths) -> tuple[spec.EngineSpec, spec.ModelSpec]:
    """Read the spec of one engine of this node, and where weights lie; raise `ActionError`."""
    try:
        host = spec.load(paths.spec.read_bytes())
    except (OSError, *GARBLED) as error:
        raise ActionError(f"{paths.spec}: {error}") from error
    if name not in host.engines:
        raise ActionError(f"{paths.spec}: no engine {name!r}; there are {', '.join(host.engines)}")
    return host.engines[name], host.model


def fetch(name: str, paths: Paths) -> None:
    """Fetch all that engine `name` serves; raise `ActionError` with a sentence for the operator."""
    engine, model = engine_of(name, paths)
    entries = lock.load(paths.etc / lock.NAME)
    token = read_token(os.environ.get("CREDENTIALS_DIRECTORY"))
    home = Path(model.root) / f"{LIBRARY}-{name}"
    prepare_library(home)
    try:
        for repo, commit in engine.repositories:
            locked = lock.find(entries, repo, commit)
            if entries and locked is None:
                raise ActionError(f"{repo} is not in models.lock at {commit}; deploy again")
            bring(model, repo, commit, token, locked, code=engine.trust_remote_code)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def bring(
    model: spec.ModelSpec,
    repo: str,
    commit: str,
    token: str | None,
    locked: Locked | None,
    *,
    code: bool,
) -> None:
    """Fetch one commit, from the Hub or from the directory that takes its place."""
    # Only now: the library reads its settings when it is imported.
    from agent.weights.fetch import Fetch, World  # noqa: PLC0415
    from agent.weights.trouble import Asked  # noqa: PLC0415

    asked = Asked(
        hub=model.hub, repo=repo, commit=commit, token=token is not None, folder=model.source_dir
    )
    world = World(
        origin=origin_of(asked, token, locked),
        free=lambda directory: shutil.disk_usage(directory).free,
        say=lambda line: print(line, flush=True),
        pause=time.sleep,
    )
    directory = Path(model.root) / folder(repo, commit)
    Fetch(asked, directory, world, code=code, locked=locked).run()


def origin_of(asked: "Asked", token: str | None, locked: Locked | None) -> "Origin":
    """Return where to fetch from; raise `ActionError` when nothing could tell good from bad."""
    from agent.weights.folder import Folder  # noqa: PLC0415
    from agent.weights.hub import HuggingFace  # noqa: PLC0415

    if asked.folder is None:
        return HuggingFace(asked.hub, asked.repo, asked.commit, token)
    if locked is None:
        raise ActionError(
            f"{asked.repo} is not in models.lock: nothing tells whether the files in "
            f"{asked.folder} are right"
        )
    return Folder(asked.folder, asked.repo, asked.commit, locked.files)


def run(name: str, paths: Paths) -> int:
    """Fetch; return the exit code. A failure is the last line on stderr."""
    try:
        fetch(name, paths)
    except ActionError as failure:
        print(failure, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], Paths(etc=Path(sys.argv[2]))))
