"""The caches of the Hub that a container has, as huggingface_hub lays them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# Where engines keep their cache of the Hub, and what people mount; below each may be more.
PLACES = ("/data", "/root/.cache/huggingface")
BELOW = ("", "hub", "huggingface/hub", ".cache/huggingface/hub")
NAMED = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME")

Json = dict[str, Any]


def on_host(inspected: Json, path: str) -> tuple[Path, bool] | None:
    """Return where a path of a container lies on the host, and whether it is in its own layer."""
    mounts = [m for m in inspected["Mounts"] if m["Type"] in ("bind", "volume")]
    for mount in sorted(mounts, key=lambda m: -len(m["Destination"])):
        target = mount["Destination"].rstrip("/")
        if path == target or path.startswith(target + "/"):
            return Path(mount["Source"] + path[len(target) :]), False
    layer = ((inspected.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir")
    return (Path(layer + path), True) if layer else None


def caches(inspected: Json, environment: dict[str, str], wanted: list[str]) -> list[Json]:
    """Return the caches of the Hub that a container has, with what is wanted of them."""
    named = [environment[n] for n in NAMED if environment.get(n, "").startswith("/")]
    tops = [*named, *PLACES, *(m["Destination"] for m in inspected["Mounts"])]
    paths = [os.path.normpath(f"{top}/{below}") for top in tops for below in BELOW]
    found: dict[str, Json] = {}
    for place in filter(None, (on_host(inspected, path) for path in dict.fromkeys(paths))):
        directory, inside = place
        snapshots = [one for pin in wanted for one in snapshots_of(directory, pin)]
        if snapshots:
            cache = {"path": str(directory), "inside": inside, "snapshots": snapshots}
            found.setdefault(str(directory.resolve()), cache)
    return list(found.values())


def snapshots_of(cache: Path, pin: str) -> list[Json]:
    """Return the snapshots of a repository in a cache, with the files of the wanted commit."""
    repo, _, commit = pin.partition("@")
    directory = cache / f"models--{repo.replace('/', '--')}" / "snapshots"
    try:
        names = sorted(entry.name for entry in directory.iterdir() if entry.is_dir())
    except OSError:
        return []
    return [
        {"repo": repo, "commit": name, "files": sizes(cache, directory / name, name == commit)}
        for name in names
    ]


def sizes(cache: Path, snapshot: Path, is_wanted: bool) -> dict[str, int]:
    """Return the bytes of each file of a snapshot that lies inside of the cache."""
    found = {}
    for path in sorted(snapshot.rglob("*")) if is_wanted else ():
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):  # a link to nothing, or to itself
            continue
        if real.is_file() and cache.resolve() in real.parents:
            found[path.relative_to(snapshot).as_posix()] = real.stat().st_size
    return found
