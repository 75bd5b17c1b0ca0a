"""base: packages, time, kernel settings, the user, the directories, and the agent's program.

The program is laid here because the model stage needs it already (docs/adr/0001-venv-in-base.md).
"""

from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet.disruption import Disruption
from fleet.facts.bare import Bare
from fleet.operations.directories import directories
from fleet.operations.file import file
from fleet.operations.journald import PATH as JOURNALD
from fleet.operations.journald import journald_current
from fleet.operations.needrestart import PATH as NEEDRESTART
from fleet.operations.needrestart import needrestart_quiet
from fleet.operations.packages import packages
from fleet.operations.program import program
from fleet.operations.sysctl import PATH as SYSCTL
from fleet.operations.sysctl import sysctl, sysctl_file
from fleet.operations.units import unit_up
from fleet.operations.user import system_user
from fleet.render import render

DISRUPTION = Disruption.NONE
PACKAGES = ["ca-certificates", "chrony", "cron", "curl", "gpg", "polkitd", "python3-venv"]


@deploy("base")
def apply(spec: HostSpec, found: Bare) -> None:
    """Lay the ground."""
    file(
        name="place /etc/apt/apt.conf.d/52stoker",
        path="/etc/apt/apt.conf.d/52stoker",
        content=render("52stoker"),
    )
    packages(name=f"install {', '.join(PACKAGES)}", names=PACKAGES)
    needrestart_quiet(name=f"place {NEEDRESTART}", content=render("needrestart.conf"))
    if not found.container:  # a container's clock is its host's
        unit_up(name="run chrony", unit="chrony.service")
    sysctl(name="set kernel parameters", spec=spec, container=found.container)
    sysctl_file(name=f"place {SYSCTL}", spec=spec)
    system_user(name="add user stoker", user="stoker", home="/var/lib/stoker")
    file(
        name="place /etc/tmpfiles.d/stoker.conf",
        path="/etc/tmpfiles.d/stoker.conf",
        content=render("tmpfiles.conf"),
    )
    directories(name="make directories", wanted=_directories(spec))
    _journal(spec)
    program(name="lay the program in /opt/stoker/venvs", python=found.python)


def _journal(spec: HostSpec) -> None:
    """Let the journal not eat the disk."""
    file(
        name=f"place {JOURNALD}",
        path=JOURNALD,
        content=render("journald.conf", gib=spec.base.journal_gib),
    )
    journald_current(name="run journald with this")


def _directories(spec: HostSpec) -> dict[str, tuple[str, str]]:
    """Sticky where the agent may write: it cannot put its own in the place of root's."""
    ours, shared = ("755", "root:root"), ("1775", "root:stoker")
    return {
        "/etc/apt/keyrings": ours,
        "/etc/stoker": ours,
        "/etc/stoker/secrets": ("700", "root:root"),
        "/etc/systemd/journald.conf.d": ours,
        "/opt/stoker": ours,
        "/opt/stoker/releases": ours,
        "/opt/stoker/venvs": ours,
        "/var/lib/stoker": shared,
        "/var/lib/stoker/agent": ("755", "stoker:stoker"),
        "/var/lib/stoker/engines": ours,
        **({spec.model.root: ours} if spec.engines else {}),
        "/run/stoker": shared,
        "/run/stoker/engines": ours,
        "/run/stoker/gates": ("755", "stoker:stoker"),
        "/run/stoker/secrets": ("700", "root:root"),
    }
