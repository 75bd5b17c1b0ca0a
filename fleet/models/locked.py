"""What `models.lock` has to say about the spec of a host, once there is one."""

from collections.abc import Iterator

from agent.errors import SpecError
from agent.spec import HostSpec
from agent.weights.lock import Locked, find
from fleet.models import lockfile
from fleet.release import given


def read(path: str | None) -> tuple[Locked, ...] | None:
    """Read a lock file; None when there is none; raise `SpecError`."""
    if path is None:
        return None
    try:
        return lockfile.load(given.place(path).read_text())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot be read: {error}") from error


def of(spec: HostSpec) -> tuple[Locked, ...]:
    """Return the entries of all that the host's engines serve; none when nothing is locked.

    Raises `SpecError` where `faults` tells a fault.
    """
    for fault in faults(spec):
        raise SpecError(fault)
    entries = read(spec.model.lock_file)
    if entries is None:
        return ()
    wanted = {pair for engine in spec.engines.values() for pair in engine.repositories}
    return tuple(one for one in entries if (one.repo, one.commit) in wanted)


def faults(spec: HostSpec) -> list[str]:
    """Return one sentence for each model that the lock does not let the host serve."""
    path = spec.model.lock_file
    if not spec.engines:
        return []
    try:
        entries = read(path)
    except SpecError as error:
        return [f"model_lock_file = {path!r}: {error}"]
    if entries is not None:
        return list(_unlocked(spec, entries))
    if spec.model.source_dir is not None:
        return [
            f"model_source_dir = {spec.model.source_dir!r}: nothing tells whether its files are "
            f"right, for there is no {path or 'lock'}: set model_lock_file, and run "
            "`stoker models lock` where the Hub can be reached"
        ]
    return []


def _unlocked(spec: HostSpec, entries: tuple[Locked, ...]) -> Iterator[str]:
    path = spec.model.lock_file
    for name, engine in spec.engines.items():
        for repo, commit in engine.repositories:
            if find(entries, repo, commit):
                continue
            others = [one.commit for one in entries if one.repo == repo]
            has = f"has {repo} at {', '.join(others)}" if others else f"does not have {repo}"
            yield (
                f"engine {name}: wants {repo} at {commit}, but {path} {has}: if that commit is "
                "what you mean, run `stoker models lock INVENTORY`"
            )
