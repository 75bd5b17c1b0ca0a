"""What the deploy manages on each host, collected by its own operations while they run.

The result lies on the node as `/var/lib/stoker/manifest.json`. `of_release` is what it was when
the node converged to the release that it now compares itself with.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from weakref import WeakKeyDictionary

import msgspec
from pyinfra.api.exceptions import OperationError
from pyinfra.api.host import Host

from agent.drift.manifest import Directory, File, Link, Manifest, Package, Unit
from agent.errors import GARBLED
from fleet.release import given

PATH = "/var/lib/stoker/manifest.json"

_of_host: WeakKeyDictionary[Host, "Collected"] = WeakKeyDictionary()


class Collected:
    """Grows while the operations of one host run; the last word about a path counts."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.directories: dict[str, Directory] = {}
        self.links: dict[str, Link] = {}
        self.units: dict[str, Unit] = {}
        self.packages: dict[str, Package] = {}
        # Files whose content is not known here; they are taken as they are at the end of the run.
        self.measured: set[str] = set()
        # Units whose files are looked at then.
        self.composed: set[str] = set()

    def dump(self, composed: Mapping[str, tuple[str, ...]]) -> str:
        """Return the manifest as canonical JSON."""
        manifest = Manifest(
            files=self.files,
            directories=self.directories,
            links=self.links,
            units=self.units,
            packages=self.packages,
            composed=dict(composed),
        )
        encoded = msgspec.json.encode(manifest, order="sorted")
        return msgspec.json.format(encoded, indent=2).decode() + "\n"


def of(host: Host) -> Collected:
    """Return what was collected for `host` so far."""
    # `pyinfra.host` is a stand-in for the current host, so its own identity is no key.
    return _of_host.setdefault(host.inventory.get_host(host.name), Collected())


@contextmanager
def set_aside(host: Host) -> Iterator[None]:
    """Within: collect on a copy, for what is only asked and not done; then it is as before."""
    key = host.inventory.get_host(host.name)
    before = _of_host.get(key)
    if before is not None:
        _of_host[key] = deepcopy(before)
    try:
        yield
    finally:
        _of_host.pop(key, None)
        if before is not None:
            _of_host[key] = before


def of_release() -> Manifest | None:
    """Return the manifest of the release that this node once converged to; None elsewhere."""
    here = given.release()
    if here is None or not given.reached():
        return None
    try:
        return msgspec.json.decode((here / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, *GARBLED) as error:
        raise OperationError(f"{here / 'manifest.json'}: {error}") from error
