"""`stoker models lock`: write down, to the byte, what the hosts of an inventory may serve."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from agent.errors import ActionError
from agent.weights import plan
from agent.weights.hub import HuggingFace
from agent.weights.lock import Locked, find
from agent.weights.patience import patiently
from agent.weights.trouble import Asked
from fleet.command import WrongUseError
from fleet.models import locked, lockfile, metadata
from fleet.models.wanted import Wanted

Say = Callable[[str], None]
Pause = Callable[[float], None]


def run(models: Sequence[Wanted], say: Say, pause: Pause) -> int:
    """Write the lock file of each group of hosts, with what they want and nothing else.

    Nothing is written unless all could be asked.
    """
    files: dict[str, list[Wanted]] = {}
    for one in models:
        if one.lock_file is None:
            raise WrongUseError(
                f"model_lock_file is None for {', '.join(one.hosts)}: name a file to write"
            )
        files.setdefault(one.lock_file, []).append(one)
    made = {path: _entries(path, wanted, say, pause) for path, wanted in files.items()}
    for path, entries in made.items():
        _write(Path(path), lockfile.dump(entries))
    return 0


def _entries(path: str, models: Iterable[Wanted], say: Say, pause: Pause) -> list[Locked]:
    """Ask for every model once, by whichever host's Hub and token comes first."""
    before = locked.read(path) or ()
    found: dict[tuple[str, str], Locked] = {}
    for one in models:
        if (one.repo, one.commit) in found:
            continue
        made = _ask(one, say, pause)
        if changed := _changed(find(before, one.repo, one.commit), made):
            raise ActionError(
                f"{one.hub} lists other bytes of {one.repo} at {one.commit} than {path}: "
                f"{', '.join(changed)}. A commit never changes, so one of the two is not to be "
                "trusted; remove the model from the file if it is the file"
            )
        found[one.repo, one.commit] = made
        print(line(made))
    return list(found.values())


def _ask(one: Wanted, say: Say, pause: Pause) -> Locked:
    token = one.token
    asked = Asked(hub=one.hub, repo=one.repo, commit=one.commit, token=token is not None)
    hub = HuggingFace(one.hub, one.repo, one.commit, token)
    patiently(hub.check, asked, say, pause, metadata.DELAYS)
    listing = patiently(hub.listing, asked, say, pause, metadata.DELAYS)
    counts = metadata.read(asked, token, say=say, pause=pause).parameters
    files = plan.wanted(listing, code=True)
    if odd := plan.outside(files):
        raise ActionError(f"{one.repo} lists {odd[0]!r}, outside of its own directory")
    return Locked(repo=one.repo, commit=one.commit, parameters=counts, files=files)


def _changed(before: Locked | None, now: Locked) -> list[str]:
    """Return the paths that both know, with another content."""
    known = {file.path: file for file in before.files} if before else {}
    return [file.path for file in now.files if known.get(file.path, file) != file]


def line(one: Locked) -> str:
    """Say it in a line."""
    counts = [f"{_billions(n)} {dtype}" for dtype, n in sorted(one.parameters.items())]
    return (
        f"{one.repo}@{one.commit[:12]}: {len(one.files)} files, {plan.amount(one.size)}, "
        f"parameters: {', '.join(counts)}"
    )


def _billions(count: int) -> str:
    return f"{count / 1e9:.2f} B" if count >= 1e7 else f"{count}"


def _write(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        print(f"{path} is as it was")
        return
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.replace(path)
    print(f"wrote {path}: put it under version control")
