"""Docker's own packages in the place of a distribution's, in one transaction of apt."""

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.drift.manifest import Package
from fleet import manifest
from fleet.distributions import DOCKER
from fleet.facts.docker import OLD_PACKAGES
from fleet.facts.packages import Installed
from fleet.operations.packages import LISTS

# The distribution's packages leave their settings behind under names that Docker's use too.
_INSTALL = (
    "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends "
    "--allow-change-held-packages -o Dpkg::Options::=--force-confdef "
    "-o Dpkg::Options::=--force-confold install"
)
# Debian's docker.io leaves it there, to empty that directory when it is purged some day.
_BOMB = "/var/lib/docker/nuke-graph-directory.sh"
_VERSION = "$(dockerd --version | sed -n 's/^Docker version \\([0-9]*\\.[0-9]*\\).*/\\1/p')"


PATIENCE = 60  # seconds for a container to stop


@operation()
def docker_packages(
    minimum: str, *, upgrade: bool = False, ending: Sequence[str] = ()
) -> Generator[StringCommand]:
    """Install and hold Docker's packages; what was there in their place is removed, never purged.

    Images, volumes and settings stay. `upgrade`: those that are there are too old for `minimum`.
    `ending`: containers that may end with them, and are stopped while Docker still knows them.
    """
    manifest.of(host).packages.update({name: Package(hold=True) for name in DOCKER})
    found = host.get_fact(Installed, names=[*DOCKER, *OLD_PACKAGES])
    old = [name for name in OLD_PACKAGES if name in found]
    new = [name for name in DOCKER if upgrade or name not in found]
    if old or new:
        if ending:
            names = (QuoteString(name) for name in ending)
            yield StringCommand(f"docker stop -t {PATIENCE}", *names, "|| true")
        words = [QuoteString(name) for name in [*DOCKER, *(f"{name}-" for name in old)]]
        yield StringCommand(f"{{ {LISTS}; }} && {_INSTALL}", *words, f"&& rm -f {_BOMB}")
    # Another version of a package that is held may come without the hold.
    free = [name for name in DOCKER if old or new or not found[name].hold]
    if free:
        yield StringCommand("apt-mark hold", *(QuoteString(name) for name in free))
    if upgrade:
        yield StringCommand(
            f'v={_VERSION}; dpkg --compare-versions "$v" ge', minimum, "||",
            f'{{ echo "Docker is $v after the upgrade, less than runtime_docker_minimum ='
            f' {minimum}: the repository has none newer" >&2; exit 1; }}',
        )  # fmt: skip
    if not (old or new or free or upgrade):
        host.noop("Docker's packages are there")
