"""What the deploy manages on each host, collected by its own operations while they run.

The result lies on the node as `/var/lib/stoker/manifest.json`; `agent.drift` compares it with
what is there.
"""

from weakref import WeakKeyDictionary

import msgspec
from pyinfra.api.host import Host

from agent.drift.manifest import Directory, File, Link, Manifest, Package, Unit

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

    def dump(self) -> str:
        """Return the manifest as canonical JSON."""
        manifest = Manifest(
            files=self.files,
            directories=self.directories,
            links=self.links,
            units=self.units,
            packages=self.packages,
        )
        encoded = msgspec.json.encode(manifest, order="sorted")
        return msgspec.json.format(encoded, indent=2).decode() + "\n"


def of(host: Host) -> Collected:
    """Return what was collected for `host` so far."""
    # `pyinfra.host` is a stand-in for the current host, so its own identity is no key.
    return _of_host.setdefault(host.inventory.get_host(host.name), Collected())
