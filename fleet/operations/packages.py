"""Packages of the distribution or of an added repository, in one look and one transaction."""

from collections.abc import Generator, Mapping

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.drift.manifest import Package
from fleet import manifest
from fleet.facts.packages import Installed

# Lists younger than an hour are taken as they are: four stages install, one of them updates.
LISTS = (
    "find /var/lib/apt/lists -maxdepth 1 -name '*Release' -mmin -60 2>/dev/null | grep -q . "
    "|| apt-get -q update"
)
_INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends"


@operation()
def packages(
    names: list[str], *, hold: bool = False, versions: Mapping[str, str] | None = None
) -> Generator[StringCommand]:
    """Install `names`; `versions` pins some of them exactly, `hold` keeps all from moving."""
    pins = versions or {}
    wanted = {name: Package(hold=hold, version=pins.get(name)) for name in names}
    manifest.of(host).packages.update(wanted)
    found = host.get_fact(Installed, names=names)
    missing = [
        name
        for name, package in wanted.items()
        if name not in found or package.version not in {None, found[name].version}
    ]
    if missing:
        specs = (QuoteString(f"{n}={pins[n]}" if n in pins else n) for n in missing)
        held = "--allow-change-held-packages" if hold else ""
        yield StringCommand(f"{{ {LISTS}; }} && {_INSTALL}", held, "install", *specs)
    free = [name for name in names if hold and not (name in found and found[name].hold)]
    if free:
        yield StringCommand("apt-mark hold", *(QuoteString(name) for name in free))
    if not missing and not free:
        host.noop("all packages are there")
