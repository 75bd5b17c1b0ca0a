"""Packs files into a tar stream, owners and modes included, to lay into a container. Pure."""

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One file to lay down, owned by `owner` (user and group id)."""

    content: bytes
    mode: int = 0o644
    owner: int = 0


def pack(files: Mapping[str, Entry]) -> bytes:
    """Pack `files` (absolute path → entry) into one uncompressed tar; equal input, equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, entry in sorted(files.items()):
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size = len(entry.content)
            member.mode = entry.mode
            member.uid = member.gid = entry.owner
            tar.addfile(member, io.BytesIO(entry.content))
    return buffer.getvalue()


def unpack(archive: bytes) -> dict[str, bytes]:
    """Read the regular files of a tar archive, by name."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            member.name: content.read() for member in tar if (content := tar.extractfile(member))
        }
