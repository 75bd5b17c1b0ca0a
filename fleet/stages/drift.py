"""drift: a cron entry that compares the host with what this deploy left."""

from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet import program
from fleet.disruption import Disruption
from fleet.facts.bare import Bare
from fleet.operations.file import file
from fleet.operations.link import absent
from fleet.operations.manifest import manifest
from fleet.operations.units import unit_up
from fleet.render import render

DISRUPTION = Disruption.NONE
CRON = "/etc/cron.d/stoker"


@deploy("drift")
def apply(spec: HostSpec, found: Bare) -> None:
    """Leave the check, and last of all the manifest."""
    if spec.drift.enabled:
        unit_up(name="run cron", unit="cron.service")
        file(name=f"place {CRON}", path=CRON, content=_entry(spec, found))
    else:
        absent(name=f"remove {CRON}", path=CRON)
    manifest(name="write the manifest")


def _entry(spec: HostSpec, found: Bare) -> str:
    """By the release's own program: links to it may be what is no longer as it was."""
    venv = f"/opt/stoker/venvs/{program.stamp(found.python)}"
    return render("cron", spec=spec, program=f"{venv}/bin/stoker-release")
