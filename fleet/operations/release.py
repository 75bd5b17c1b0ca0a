"""A release on the node: laid beside the others, and made the current one."""

import base64
from collections.abc import Generator
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from msgspec import Struct
from pyinfra import host
from pyinfra.api import (
    DeployError,
    FactBase,
    FileUploadCommand,
    QuoteString,
    StringCommand,
    operation,
)
from typing_extensions import override

from agent.releases import ROOT, About
from agent.spec import HostSpec
from fleet import manifest as collected
from fleet.release import tree, wanted
from fleet.render import ROOT as SOURCES

CACHE = SOURCES / ".stoker"

# Beside first, and moved when all is there: a run that dies leaves no half release.
_LAY = r"""
set -e
new=$root/.$id.new; rm -rf "$new"; mkdir -p "$new/tree" "$new/files"; chmod 700 "$new/files"
trap 'rm -rf "$new" "$tar"' EXIT
echo "$sha256  $tar" | sha256sum -c --quiet
base64 -d | tar -C "$new" --no-same-owner -xf -
tar -C "$new/tree" --no-same-owner -xzf "$tar"
mv -T "$new" "$root/$id"
"""

# The link moves last. What is there before it is the former release, whole.
_KEEP = r"""
set -e
cd "$root"
cp -f "$manifest" "$id/.manifest.new" && mv -fT "$id/.manifest.new" "$id/manifest.json"
ln -sfnT "$id" .current.new && mv -fT .current.new current
/opt/stoker/venv/bin/stoker-release gc --keep "$keep"
"""


class Laid(Struct, frozen=True):
    """The releases on a node: ids, the current one, and the digest of the manifest it has."""

    ids: tuple[str, ...] = ()
    current: str = ""
    manifest: str = ""
    now: str = ""

    def with_digest(self, digest: str) -> str | None:
        """Return the id of the newest release of this digest."""
        return max((one for one in self.ids if one.endswith(f"-{digest}")), default=None)


class LaidReleases(FactBase[Laid]):
    """Looks at the releases, and at the manifest that the last deploy left."""

    @override
    @staticmethod
    def default() -> Laid:
        return Laid()

    @override
    def command(self) -> str:
        return (
            f"cd {ROOT} 2>/dev/null && {{ "
            'echo "ids=$(ls -d 2*Z-* 2>/dev/null | tr "\\n" " ")"; '
            'echo "current=$(readlink current)"; '
            'echo "manifest=$(sha256sum <current/manifest.json 2>/dev/null | cut -c1-64)"; }; '
            f'echo "now=$(sha256sum <{collected.PATH} 2>/dev/null | cut -c1-64)"'
        )

    @override
    def process(self, output: list[str]) -> Laid:
        found = dict(line.split("=", 1) for line in output)
        return Laid(
            ids=tuple(found.get("ids", "").split()),
            current=found.get("current", ""),
            manifest=found.get("manifest", ""),
            now=found.get("now", ""),
        )


@operation()
def release_laid(spec: HostSpec, about: About) -> Generator[StringCommand | FileUploadCommand]:
    """Lay the release on the node, unless one of the same digest is there."""
    found = host.get_fact(LaidReleases)
    if found.with_digest(about.digest):
        host.noop(f"release {found.with_digest(about.digest)} is there")
        return
    packed = _tar()
    target = f"/var/tmp/stoker-tree-{about.digest}.tgz"  # noqa: S108 - checked below
    yield FileUploadCommand(str(packed), target)
    yield StringCommand(
        f"umask 022; root={ROOT}; id={about.id}; tar={target};",
        f"sha256={sha256(packed.read_bytes()).hexdigest()};", _LAY, _separator=" ",
        _stdin=base64.encodebytes(wanted.secret_part(spec, about)).decode(),
    )  # fmt: skip


@operation()
def release_current(about: About, keep: int, sources: Path = SOURCES) -> Generator[StringCommand]:
    """Make the release current: the host has converged to it. `keep` former ones stay.

    Raises `DeployError` if somebody has edited the deploy's `sources` since this run began.
    """
    found = host.get_fact(LaidReleases)
    mine = found.with_digest(about.digest)
    if mine and found.current == mine and found.manifest == found.now:
        host.noop(f"release {mine} is current")
        return
    if tree.changed(sources):  # this host may have got something of both
        raise DeployError(f"{host.name}: {sources} was changed while this ran; deploy again")
    yield StringCommand(
        f"root={ROOT}; manifest={collected.PATH}; keep={keep}; id=",
        QuoteString(mine or about.id), ";", _KEEP,
        _separator="",
    )  # fmt: skip


def _tar() -> Path:
    """Return the packed tree as a file; it holds nothing secret."""
    path = CACHE / f"tree-{tree.digest()[:16]}.tgz"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        new = Path(mkdtemp(dir=CACHE)) / path.name  # two runs must not meet in it
        new.write_bytes(tree.pack())
        new.replace(path)
        new.parent.rmdir()
    return path
