"""Docker's own packages, made from Debian's: the same programs under Docker's names. Pure.

Nothing can be downloaded from Docker here, and Debian's docker.io conflicts with docker-ce, so a
mere stub that depends on it could not be installed. The package's version is one of Docker's, what
the programs say of themselves is Debian's.
"""

import io
import re
import tarfile
from collections.abc import Mapping

from tests.sandbox.archive import Entry
from tests.sandbox.packages.deb import (
    Control,
    build,
    control_files,
    format_control,
    join,
    member_name,
    pack,
    parse_control,
    read_ar,
)
from tests.sandbox.packages.stub import stub

DEBIAN_NUMBER = {"bookworm": 12, "trixie": 13}
ENGINE, CONTAINERD, BUILDX, COMPOSE = "28.5.1", "1.7.28", "0.29.1", "2.40.0"
MOVED = ("containerd", "runc", "docker-cli")


def versions(release: str) -> dict[str, str]:
    """Versions of the five packages for a Debian release, as Docker writes them."""
    suffix = f"debian.{DEBIAN_NUMBER[release]}~{release}"
    return {
        "docker-ce": f"5:{ENGINE}-1~{suffix}",
        "docker-ce-cli": f"5:{ENGINE}-1~{suffix}",
        "containerd.io": f"{CONTAINERD}-1~{suffix}",
        "docker-buildx-plugin": f"{BUILDX}-1~{suffix}",
        "docker-compose-plugin": f"{COMPOSE}-1~{suffix}",
    }


def packages(release: str, debian: Mapping[str, bytes]) -> list[bytes]:
    """Give the five packages; `debian` holds Debian's by name (docker-cli where there is one)."""
    version = versions(release)
    return [
        rename(
            [debian["docker.io"]],
            {
                "Package": "docker-ce",
                "Version": version["docker-ce"],
                "Conflicts": "docker.io",
                "Replaces": "docker.io",
            },
            depends="docker-ce-cli, containerd.io",
        ),
        _client(version["docker-ce-cli"], debian.get("docker-cli")),
        rename(
            [debian["containerd"], debian["runc"]],
            {
                "Package": "containerd.io",
                "Version": version["containerd.io"],
                "Conflicts": "containerd, runc",
                "Replaces": "containerd, runc",
            },
        ),
        *(
            _empty(name, version[name])
            for name in ("docker-buildx-plugin", "docker-compose-plugin")
        ),
    ]


def _client(version: str, debian: bytes | None) -> bytes:
    """Debian 12 has the client in docker.io: there the client's package is empty."""
    if debian is None:
        return _empty("docker-ce-cli", version)
    names = {"Package": "docker-ce-cli", "Version": version}
    return rename([debian], {**names, "Conflicts": "docker-cli", "Replaces": "docker-cli"})


def _empty(name: str, version: str) -> bytes:
    """Give a package without content: nothing that runs on a host uses these plug-ins."""
    return build(stub(name, version))


def rename(sources: list[bytes], fields: Control, *, depends: str = "") -> bytes:
    """Make one package of `sources`: content of all, scripts and control data of the first."""
    archives = [read_ar(source) for source in sources]
    scripts = control_files(sources[0])
    control = parse_control(scripts.pop("control").content.decode())
    scripts.pop("md5sums", None)
    for field in ("Recommends", "Suggests", "Built-Using", "Source", "Breaks", "Enhances"):
        control.pop(field, None)
    control = {**control, **fields, "Depends": _depends(control.get("Depends", ""), depends)}
    scripts["control"] = Entry(format_control(control).encode())
    data_name = member_name(archives[0], "data.tar")
    if len(archives) == 1:
        return join(pack(scripts), data_name, archives[0][data_name])
    return join(pack(scripts), "data.tar", _merged(archives))


def _depends(old: str, added: str) -> str:
    kept = [one for one in re.split(r",\s*", old) if one and one.split()[0] not in MOVED]
    return ", ".join([*kept, *([added] if added else [])])


def _merged(archives: list[dict[str, bytes]]) -> bytes:
    out, seen = io.BytesIO(), set[str]()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as merged:
        for archive in archives:
            data = io.BytesIO(archive[member_name(archive, "data.tar")])
            with tarfile.open(fileobj=data) as tar:
                for member in tar:
                    if member.name not in seen:
                        seen.add(member.name)
                        merged.addfile(member, tar.extractfile(member) if member.isreg() else None)
    return out.getvalue()
