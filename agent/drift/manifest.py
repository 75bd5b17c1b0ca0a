"""What a deploy manages on a node, as it leaves it in `/var/lib/stoker/manifest.json`."""

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a manifest holds."""


class File(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A regular file; `mode` in octal digits."""

    sha256: str
    mode: str
    user: str
    group: str


class Directory(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A directory; what else lies in it is not ours."""

    mode: str
    user: str
    group: str


class Link(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A symbolic link."""

    target: str


class Unit(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A systemd unit; None = the deploy does not mind."""

    enabled: bool | None = None
    active: bool | None = None


class Package(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An installed package; `version` only where the deploy pins one."""

    hold: bool = False
    version: str | None = None


class Manifest(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that the deploy manages on a node.

    `composed` = the files that systemd made each unit of, as the deploy found them at its end.
    """

    schema: int = 1
    files: dict[str, File] = {}
    directories: dict[str, Directory] = {}
    links: dict[str, Link] = {}
    units: dict[str, Unit] = {}
    packages: dict[str, Package] = {}
    composed: dict[str, tuple[str, ...]] = {}
