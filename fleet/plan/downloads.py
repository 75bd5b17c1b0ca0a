"""Which weights a host does not have yet, and how many bytes they are. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from agent.engine_spec import folder
from agent.planner.checkpoint import Checkpoint
from agent.spec import EngineSpec, HostSpec
from agent.weights import plan
from agent.weights.lock import Locked, find
from fleet.plan.document import Download
from fleet.plan.seen import Seen

Checkpoints = Mapping[tuple[str, str], Checkpoint]


def missing(
    spec: HostSpec, seen: Seen, lock: Sequence[Locked], checkpoints: Checkpoints
) -> Iterator[Download]:
    """Yield what is to be downloaded, or may be where the host was not asked; nothing twice."""
    done: set[tuple[str, str]] = set()
    for name, engine in spec.engines.items():
        for repo, commit in engine.repositories:
            if (repo, commit) not in done and _missing(spec, seen, name, repo, commit):
                yield size(engine, repo, commit, lock, checkpoints)
            done.add((repo, commit))


def size(
    engine: EngineSpec, repo: str, commit: str, lock: Sequence[Locked], checkpoints: Checkpoints
) -> Download:
    """Return how much it is, by the best that is known."""
    made = Download(repo=repo, commit=commit, bytes=None, source="unknown")
    if entry := find(lock, repo, commit):
        files = plan.wanted(entry.files, code=engine.trust_remote_code)
        return replace(made, bytes=sum(file.size for file in files), source="lock")
    if checkpoint := checkpoints.get((repo, commit)):
        source = "config" if checkpoint.drawn else "headers"
        return replace(made, bytes=checkpoint.bytes, source=source)
    return made


def disk_fault(spec: HostSpec, seen: Seen, downloads: Sequence[Download]) -> str | None:
    """Say in a sentence that they do not fit on the host's disk; None = they do, or may."""
    free = seen.bare.free.get(spec.model.root) if seen.bare else None
    if free is None:
        return None
    return plan.disk_fault(sum(one.bytes or 0 for one in downloads), free, spec.model.root)


def _missing(spec: HostSpec, seen: Seen, name: str, repo: str, commit: str) -> bool:
    """Say whether weights are to come: preflight looks at models, the stage at an engine's all."""
    if seen.bare and f"{spec.model.root}/{folder(repo, commit)}" in seen.bare.weights:
        return False
    fetch = f"fetch the weights of {name}: "
    of_engine = (one for one in seen.operations or () if one.name.startswith(fetch))
    return next((one.changes for one in of_engine), True)
