"""What becomes of containers of others, and which weights need no download for that. Pure."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from msgspec.structs import replace

from agent.spec import HostSpec
from agent.weights import plan
from agent.weights.lock import Locked, find
from agent.weights.plan import File, amount
from fleet import takeover
from fleet.facts.bare import Bare
from fleet.facts.foreign import Cache, Container, Snapshot
from fleet.plan.document import Download, FoundWeights, Takeover


def takeovers(spec: HostSpec, found: Bare, lock: Sequence[Locked]) -> tuple[Takeover, ...]:
    """Return what becomes of each container that is taken over."""
    return tuple(
        Takeover(
            container=one.name,
            image=one.image,
            running=one.running,
            ports=tuple(f"{port.address}:{port.port}" for port in one.ports),
            gpus=f"{one.devices} ({one.injection})" if one.injection else "",
            secrets=one.secrets,
            unit=one.unit,
            project=f"{one.project} in {one.directory}" if one.project else "",
            engine=takeover.replaced(spec, one),
            weights=tuple(_weights(spec, one, lock)),
            stop_at_most=takeover.stop_seconds(spec),
            shaken=one.running and takeover.docker_replaced(spec, found),
        )
        for one in takeover.chosen(spec, found)
    )


def still_missing(downloads: Sequence[Download], taken: Sequence[Takeover]) -> Iterator[Download]:
    """Yield what must be downloaded although there are weights in caches."""
    best = {(w.repo, w.commit): w for one in taken for w in one.weights}
    for download in downloads:
        found = best.get((download.repo, download.commit))
        if found is None:
            yield download
        elif found.missing is not None:
            if found.missing:
                yield replace(download, bytes=found.missing)
        elif download.bytes is None or found.bytes < download.bytes:
            left = None if download.bytes is None else download.bytes - found.bytes
            yield replace(download, bytes=left)


def told(one: Takeover) -> str:
    """Say it in one sentence."""
    what = f"image {one.image}" + "".join(f", port {port}" for port in one.ports)
    gpus = f", GPUs {one.gpus}" if one.gpus else ""
    parts = [f"container {one.container} ({what}{gpus}{'' if one.running else ', not running'})"]
    parts += [_of_weights(found) for found in one.weights] or ["none of its weights are wanted"]
    if one.secrets:
        parts.append(f"it holds {', '.join(one.secrets)}, for all to read: revoke what that is")
    if one.unit:
        parts.append(f"{one.unit}, which starts it, is disabled")
    if one.project:
        parts.append(f"Compose would start it again: take it out of {one.project}")
    parts.append(_when(one))
    return "; ".join(parts)


def _of_weights(found: FoundWeights) -> str:
    rest = "what is missing is downloaded" if found.missing is None else "nothing is downloaded"
    if found.missing:
        rest = f"{amount(found.missing)} are missing there and downloaded"
    stays = (
        "which is in the container and goes with it"
        if found.inside
        else f"which stays: to free it, rm -r {PurePosixPath(found.cache) / _folder(found.repo)}"
    )
    return (
        f"{amount(found.bytes)} of weights {found.repo}@{found.commit[:12]} are used from "
        f"{found.cache} ({stays}), {rest}"
    )


def _when(one: Takeover) -> str:
    if not one.running:
        return "it is removed once images and weights are there"
    then = (
        f"it serves until images and weights are there, then stops, in at most {one.stop_at_most} s"
    )
    shaken = (
        " (Docker's packages are replaced under it, which may end it before)" if one.shaken else ""
    )
    return f"{then}, and is removed{shaken}"


def _weights(
    spec: HostSpec, container: Container, lock: Sequence[Locked]
) -> Iterator[FoundWeights]:
    """Yield each commit, from the cache that has most of it."""
    best: dict[tuple[str, str], FoundWeights] = {}
    for cache, snapshot, files in takeover.wanted(spec, [container]):
        entry = find(lock, snapshot.repo, snapshot.commit)
        locked = (
            plan.wanted(entry.files, code=takeover.with_code(spec, snapshot)) if entry else None
        )
        found = _found(cache, snapshot, files, locked)
        key = (found.repo, found.commit)
        if key not in best or best[key].bytes < found.bytes:
            best[key] = found
    yield from best.values()


def _found(
    cache: Cache, snapshot: Snapshot, files: Sequence[File], locked: Sequence[File] | None
) -> FoundWeights:
    sizes = {file.path: file.size for file in files}
    missing = None
    if locked is not None:
        missing = sum(file.size for file in locked if sizes.get(file.path) != file.size)
    return FoundWeights(
        repo=snapshot.repo,
        commit=snapshot.commit,
        cache=cache.path,
        bytes=sum(sizes.values()),
        missing=missing,
        inside=cache.inside,
    )


def _folder(repo: str) -> str:
    return f"models--{repo.replace('/', '--')}"
