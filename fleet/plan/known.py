"""What is known of a checkpoint: from the cache, a directory on this machine, or the Hub."""

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from agent.engine_spec import folder
from agent.errors import GARBLED, ActionError, SourceError, SpecError
from agent.model import Value
from agent.planner import blueprint, checkpoint
from agent.planner.checkpoint import Checkpoint
from agent.spec import HostSpec
from fleet.models import metadata, wanted
from fleet.models.metadata import Metadata
from fleet.models.wanted import Wanted

Say = Callable[[str], None]
Pause = Callable[[float], None]
Key = tuple[str, str]  # repository and commit


class Known(Value, frozen=True, kw_only=True):
    """Checkpoints by repository and commit, and for the others why they are not known."""

    checkpoints: dict[Key, Checkpoint]
    problems: dict[Key, str]


def gather(
    specs: Iterable[HostSpec],
    directory: Path,
    say: Say,
    pause: Pause,
    *,
    offline: bool,
    cache: Path = metadata.KEPT,
) -> Known:
    """Find out about every model that an engine with GPUs serves; ask the Hub unless `offline`."""
    hosts = list(specs)
    on_gpus = {(e.model, e.revision) for spec in hosts for e in spec.engines.values() if e.gpus}
    found, problems = dict[Key, Checkpoint](), dict[Key, str]()
    for one in wanted.by_hosts(hosts):
        key = (one.repo, one.commit)
        if key not in on_gpus or key in found:
            continue
        try:
            made = kept(*key, cache) or local(directory, one.repo)
            if made is None and not offline:
                made = _ask(one, say, pause, cache)
        except (ActionError, SourceError, SpecError) as error:
            problems[key] = str(error)
            continue
        if made is None:
            problems[key] = (
                f"there is no metadata of {one.repo}: plan once without --offline, or give its "
                f"config.json in {directory / one.repo}"
            )
        else:
            found[key] = made
    return Known(checkpoints=found, problems={k: v for k, v in problems.items() if k not in found})


@lru_cache(maxsize=64)
def kept(repo: str, commit: str, cache: Path = metadata.KEPT) -> Checkpoint | None:
    """Return what was once read from the Hub; None when it was not. A commit never changes."""
    path = cache / f"{folder(repo, commit)}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Metadata).checkpoint
    except (OSError, *GARBLED):
        return None


def local(directory: Path, repo: str) -> Checkpoint | None:
    """Read `directory`/ORGANISATION/NAME: headers of weights, or config.json alone; None = none.

    Raises `SourceError` when what is there is garbled.
    """
    place = directory / repo
    if not (place / "config.json").is_file():
        return None
    if any(place.glob("*.safetensors")):
        return replace(checkpoint.read(place), name=repo)
    try:
        return blueprint.draw(repo, json.loads((place / "config.json").read_bytes()))
    except (OSError, *GARBLED) as error:
        raise SourceError(f"{place / 'config.json'}: {error}") from error


def _ask(one: Wanted, say: Say, pause: Pause, cache: Path) -> Checkpoint:
    from agent.weights.trouble import Asked  # noqa: PLC0415 - it takes the Hub's library with it

    token = one.token
    asked = Asked(hub=one.hub, repo=one.repo, commit=one.commit, token=token is not None)
    return metadata.read(asked, token, say=say, pause=pause, kept=cache).checkpoint
