"""Writes apt repositories: packages, their index, and the Release file over it."""

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path

from tests.sandbox.packages.deb import control_of, file_name, format_control


def write_flat(root: Path, packages: list[bytes], origin: str) -> Path:
    """Write a flat repository (`deb URL /`), as NVIDIA's are; give its Release file."""
    root.mkdir(parents=True, exist_ok=True)
    names = _write_pool(root, packages)
    index = packages_index(dict(zip(names, packages, strict=True)), "./")
    return _write_release(root, {"Packages": index}, {"Origin": origin, "Label": origin})


def write_suites(root: Path, suites: Mapping[str, list[bytes]], origin: str) -> list[Path]:
    """Write a repository with a suite a Debian release, component `stable`, as Docker's is."""
    releases = []
    for suite, packages in suites.items():
        pool = f"pool/{suite}"
        names = _write_pool(root / pool, packages)
        index = packages_index(dict(zip(names, packages, strict=True)), f"{pool}/")
        fields = {
            "Origin": origin,
            "Label": origin,
            "Suite": suite,
            "Codename": suite,
            "Architectures": "amd64",
            "Components": "stable",
        }
        files = {"stable/binary-amd64/Packages": index}
        releases.append(_write_release(root / "dists" / suite, files, fields))
    return releases


def packages_index(packages: Mapping[str, bytes], prefix: str) -> str:
    """Render the index of `packages` (file name → content), found below `prefix`."""
    paragraphs = []
    for name, content in packages.items():
        control = control_of(content)
        found = {
            "Filename": f"{prefix}{name}",
            "Size": str(len(content)),
            "SHA256": hashlib.sha256(content).hexdigest(),
        }
        paragraphs.append(format_control({**control, **found}))
    return "\n".join(paragraphs)


def release_text(files: Mapping[str, bytes], fields: Mapping[str, str]) -> str:
    """Render a Release file over index `files`, undated so that equal content gives equal bytes."""
    sums = [
        f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}"
        for name, content in sorted(files.items())
    ]
    date = {"Date": "Thu, 01 Jan 2026 00:00:00 UTC"}
    return format_control({**fields, **date, "SHA256": "\n" + "\n".join(sums)})


def _write_pool(pool: Path, packages: list[bytes]) -> list[str]:
    pool.mkdir(parents=True, exist_ok=True)
    names = []
    for content in packages:
        names.append(file_name(control_of(content)))
        (pool / names[-1]).write_bytes(content)
    return names


def _write_release(directory: Path, texts: Mapping[str, str], fields: Mapping[str, str]) -> Path:
    files: dict[str, bytes] = {}
    for name, text in texts.items():
        files[name] = text.encode()
        files[f"{name}.gz"] = gzip.compress(files[name], mtime=0)
    for name, content in files.items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    release = directory / "Release"
    release.write_text(release_text(files, fields))
    return release
