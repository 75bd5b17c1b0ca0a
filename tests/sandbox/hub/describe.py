"""The JSON documents of the Hub's API for one model (pure, apart from reading file headers)."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

from .repo import File, Repo, lfs_pointer


def model_info(repo: Repo, *, blobs: bool) -> dict[str, Any]:
    """``GET /api/models/{id}``; with `blobs` each sibling carries size and hashes."""
    info: dict[str, Any] = {
        "_id": repo.commit[:24],
        "id": repo.id,
        "modelId": repo.id,
        "author": repo.id.partition("/")[0],
        "sha": repo.commit,
        "private": repo.settings.private,
        "gated": "manual" if repo.settings.gated else False,
        "disabled": repo.settings.disabled,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": [_sibling(file, blobs) for file in repo.files],
    }
    if parameters := _parameters(repo):
        info["safetensors"] = {"parameters": parameters, "total": sum(parameters.values())}
    return info


def tree(repo: Repo, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
    """``GET /api/models/{id}/tree/{revision}``: the files (and folders) below `folder`."""
    prefix = f"{folder}/" if folder else ""
    entries: list[dict[str, Any]] = []
    folders: set[str] = set()
    for file in repo.files:
        if not file.path.startswith(prefix):
            continue
        parents = file.path[len(prefix) :].split("/")[:-1]
        for depth in range(1, len(parents) + 1 if recursive else min(2, len(parents) + 1)):
            folders.add(prefix + "/".join(parents[:depth]))
        if recursive or not parents:
            entries.append(_tree_entry(file))
    entries += [{"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in folders]
    return sorted(entries, key=lambda entry: str(entry["path"]))


def safetensors_header(path: Path) -> dict[str, Any]:
    """A safetensors file's JSON header: 8 bytes little-endian length, then that much JSON."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > path.stat().st_size:
            raise ValueError(f"{path}: a header of {length} bytes")
        header: dict[str, Any] = json.loads(stream.read(length))
    return header


def _lfs(file: File, hash_key: str) -> dict[str, Any] | None:
    if file.sha256 is None:
        return None
    pointer = lfs_pointer(file.sha256, file.size)
    return {hash_key: file.sha256, "size": file.size, "pointerSize": len(pointer)}


def _sibling(file: File, blobs: bool) -> dict[str, Any]:
    sibling: dict[str, Any] = {"rfilename": file.path}
    if blobs:
        sibling |= {"size": file.size, "blobId": file.oid}
        if lfs := _lfs(file, "sha256"):
            sibling["lfs"] = lfs
    return sibling


def _tree_entry(file: File) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "oid": file.oid, "size": file.size, "path": file.path}
    if lfs := _lfs(file, "oid"):
        entry["lfs"] = lfs
    return entry


def _parameters(repo: Repo) -> dict[str, int]:
    """Number of parameters for each data type, from the headers; none if one is no safetensors."""
    counts: dict[str, int] = {}
    try:
        headers = [
            safetensors_header(file.source)
            for file in repo.files
            if file.path.endswith(".safetensors")
        ]
    except (ValueError, struct.error):
        return {}
    for header in headers:
        for name, tensor in header.items():
            if name != "__metadata__":
                size = math.prod(tensor["shape"])
                counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + size
    return counts
