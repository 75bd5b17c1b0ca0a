"""Packages that work together only in the very same version: repaired in one transaction."""

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.drift.manifest import Package
from fleet import manifest
from fleet.facts.packages import Installed
from fleet.operations.packages import LISTS

# All are named with their version: one that was forced aside cannot stop apt then. Up or down.
_INSTALL = (
    "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends "
    "--allow-change-held-packages --allow-downgrades install"
)


@operation()
def lockstep(names: Sequence[str], version: str) -> Generator[StringCommand]:
    """Have `names` installed, held, and all of `version`."""
    wanted = Package(hold=True, version=version)
    manifest.of(host).packages.update(dict.fromkeys(names, wanted))
    found = host.get_fact(Installed, names=list(names))
    wrong = any(name not in found or found[name].version != version for name in names)
    if wrong:
        pinned = (QuoteString(f"{name}={version}") for name in names)
        yield StringCommand(f"{{ {LISTS}; }} && {_INSTALL}", *pinned)
    # Another version of a package that is held may come without the hold.
    free = [name for name in names if wrong or not found[name].hold]
    if free:
        yield StringCommand("apt-mark hold", *(QuoteString(name) for name in free))
    if all(found.get(name) == wanted for name in names):
        host.noop(f"all are {version}, and held")
