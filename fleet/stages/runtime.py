"""runtime: Docker with our settings, and NVIDIA's container toolkit, all of one version."""

from pyinfra import host
from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet.disruption import Disruption
from fleet.distributions import DISTRIBUTIONS, DOCKER, TOOLKIT
from fleet.facts.bare import Bare
from fleet.operations.cdi import cdi_fresh
from fleet.operations.daemon_json import PATH, daemon_json
from fleet.operations.directories import directories
from fleet.operations.file import file
from fleet.operations.image import image
from fleet.operations.packages import packages
from fleet.operations.repository import repository
from fleet.operations.units import unit_current, unit_known
from fleet.render import render

DISRUPTION = Disruption.NONE
STAMP = "/run/stoker-docker.sha256"
PULL_SECONDS = 2 * 3600
DROP_IN = "/etc/systemd/system/docker.service.d/stoker.conf"


@deploy("runtime")
def apply(spec: HostSpec, found: Bare) -> None:
    """Make containers run. Settings come first: the packages start Docker as they are installed."""
    distribution = DISTRIBUTIONS[found.os]
    ours = ("755", "root:root")
    directories(
        name="make directories",
        wanted={"/etc/docker": ours, "/etc/systemd/system/docker.service.d": ours},
    )
    daemon_json(name=f"merge {PATH}", spec=spec)
    file(name=f"place {DROP_IN}", path=DROP_IN, content=render("docker.service.d", stamp=STAMP))
    if spec.driver.gpu_count:
        repository(
            name="add the repository of NVIDIA's container toolkit",
            wanted=distribution.toolkit_repository(spec.runtime),
        )
        packages(
            name="install and hold NVIDIA's container toolkit",
            names=TOOLKIT,
            versions=dict.fromkeys(TOOLKIT, spec.runtime.toolkit_version),
            hold=True,
        )
        cdi_fresh(name="write the CDI specification")
    repository(name="add Docker's repository", wanted=distribution.docker_repository(spec.runtime))
    packages(name=f"install and hold {', '.join(DOCKER)}", names=DOCKER, hold=True)
    unit_known(name="read docker.service", units=["docker.service"], drop_in=DROP_IN)
    unit_current(name="run Docker with this", unit="docker.service", files=[PATH], stamp=STAMP)
    # Before any engine is stopped for it: what takes long is done while the old one still serves.
    for reference in host.loop(sorted({engine.image for engine in spec.engines.values()})):
        image(name=f"pull {reference}", reference=reference, _timeout=PULL_SECONDS)
