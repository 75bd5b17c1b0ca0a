"""Writes and reads Debian packages (deb(5)): an ar archive of two tar archives. Pure."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tests.sandbox.archive import Entry

AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60
Control = dict[str, str]


@dataclass(frozen=True)
class Package:
    """A package to build. `scripts` are maintainer scripts by name (postinst, prerm, ...)."""

    control: Control
    files: Mapping[str, Entry] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the package."""
        return self.control["Package"]


def file_name(control: Control) -> str:
    """Give the usual file name; the epoch of a version is no part of it."""
    version = control["Version"].split(":", 1)[-1]
    return f"{control['Package']}_{version}_{control['Architecture']}.deb"


def build(package: Package) -> bytes:
    """Give the bytes of `package`."""
    conffiles = [path for path in sorted(package.files) if path.startswith("/etc/")]
    inner = {"control": Entry(format_control(package.control).encode())}
    if conffiles:
        inner["conffiles"] = Entry("".join(f"{path}\n" for path in conffiles).encode())
    for name, text in package.scripts.items():
        inner[name] = Entry(text.encode(), 0o755)
    return join(pack(inner), "data.tar", pack(package.files))


def join(control_tar: bytes, data_name: str, data: bytes) -> bytes:
    """Put a package together from its two archives; `data` may be compressed, as its name says."""
    return write_ar({"debian-binary": b"2.0\n", "control.tar": control_tar, data_name: data})


def format_control(control: Control) -> str:
    """Render a control paragraph."""
    return "".join(f"{key}: {value}\n" for key, value in control.items())


def parse_control(text: str) -> Control:
    """Read a control paragraph; continued lines stay as they are."""
    fields: Control = {}
    key = ""
    for line in text.splitlines():
        if line.startswith((" ", "\t")):
            fields[key] += f"\n{line}"
        elif line:
            key, _, value = line.partition(":")
            fields[key] = value.strip()
    return fields


def pack(files: Mapping[str, Entry]) -> bytes:
    """Make a tar archive as dpkg wants it: `./` before each name, directories before files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for directory in _directories(files):
            member = tarfile.TarInfo(f"./{directory}")
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        for path, entry in sorted(files.items()):
            member = tarfile.TarInfo(f"./{path.lstrip('/')}")
            member.size, member.mode = len(entry.content), entry.mode
            tar.addfile(member, io.BytesIO(entry.content))
    return buffer.getvalue()


def write_ar(members: Mapping[str, bytes]) -> bytes:
    """Write an ar archive."""
    out = io.BytesIO()
    out.write(AR_MAGIC)
    for name, content in members.items():
        out.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
        out.write(content + b"\n" * (len(content) % 2))
    return out.getvalue()


def read_ar(archive: bytes) -> dict[str, bytes]:
    """Read an ar archive."""
    if not archive.startswith(AR_MAGIC):
        raise ValueError("not an ar archive")
    members, at = {}, len(AR_MAGIC)
    while at + AR_HEADER <= len(archive):
        header = archive[at : at + AR_HEADER].decode("ascii")
        name, size = header[:16].strip().rstrip("/"), int(header[48:58])
        at += AR_HEADER
        members[name] = archive[at : at + size]
        at += size + size % 2
    return members


def control_files(deb: bytes) -> dict[str, Entry]:
    """Read the control data and maintainer scripts of a package, by name."""
    archive = read_ar(deb)
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive[member_name(archive, "control.tar")])) as tar:
        for member in tar:
            if content := tar.extractfile(member):
                files[member.name.removeprefix("./")] = Entry(content.read(), member.mode)
    return files


def control_of(deb: bytes) -> Control:
    """Read the control paragraph of a package."""
    return parse_control(control_files(deb)["control"].content.decode())


def member_name(archive: Mapping[str, bytes], stem: str) -> str:
    """Name of the member `stem`, whatever it is compressed with."""
    return next(name for name in archive if name.startswith(stem))


def _directories(paths: Iterable[str]) -> list[str]:
    parents = {
        str(parent)
        for path in paths
        for parent in PurePosixPath(path.lstrip("/")).parents
        if str(parent) != "."
    }
    return sorted(parents)
