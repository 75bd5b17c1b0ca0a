"""runtime: Docker with our settings, and NVIDIA's container toolkit, all of one version.

GPUs reach containers by CDI alone (docs/runtime.md).
"""

from pyinfra import host
from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet import daemon, docker_fitness
from fleet.disruption import Disruption
from fleet.distributions import DISTRIBUTIONS, DOCKER, TOOLKIT, Distribution
from fleet.facts.bare import Bare
from fleet.operations.cdi import UNIT as CDI
from fleet.operations.cdi import cdi_fresh
from fleet.operations.daemon_json import PATH, daemon_json
from fleet.operations.directories import directories
from fleet.operations.docker_packages import docker_packages
from fleet.operations.file import file
from fleet.operations.image import image
from fleet.operations.live_restore import live_restore
from fleet.operations.lockstep import lockstep
from fleet.operations.mig import UNIT as MIG
from fleet.operations.mig import mig_current, mig_gone
from fleet.operations.repository import repository
from fleet.operations.units import unit_current, unit_known
from fleet.render import render

DISRUPTION = Disruption.NONE
STAMP = "/run/stoker-docker.sha256"
PULL_SECONDS = 2 * 3600
SYSTEMD = "/etc/systemd/system"
DROP_IN = f"{SYSTEMD}/docker.service.d/stoker.conf"
CDI_DROP_IN = f"{SYSTEMD}/{CDI}.d/stoker.conf"


@deploy("runtime")
def apply(spec: HostSpec, found: Bare) -> None:
    """Make containers run. Settings come first: the packages start Docker as they are installed."""
    distribution = DISTRIBUTIONS[found.os]
    ours = ("755", "root:root")
    directories(
        name="make directories",
        wanted={
            "/etc/docker": ours,
            f"{SYSTEMD}/docker.service.d": ours,
            **({f"{SYSTEMD}/{CDI}.d": ours} if spec.driver.gpu_count else {}),
        },
    )
    legacy = found.dockerd.default_runtime == daemon.NVIDIA
    less = ", without its default-runtime nvidia" if legacy else ""
    daemon_json(name=f"merge {PATH}{less}", spec=spec)
    file(name=f"place {DROP_IN}", path=DROP_IN, content=render("docker.service.d", stamp=STAMP))
    if daemon.ours(spec).get("live-restore"):
        live_restore(name="keep running containers over a restart of Docker")
    if spec.driver.gpu_count:
        _gpus(spec, distribution)
    repository(name="add Docker's repository", wanted=distribution.docker_repository(spec.runtime))
    old = f" in the place of {', '.join(found.dockerd.old)}" if found.dockerd.old else ""
    replaced = bool(found.dockerd.old) or docker_fitness.too_old(spec, found)
    docker_packages(
        name=f"install and hold {', '.join(DOCKER)}{old}",
        minimum=spec.runtime.docker_minimum,
        upgrade=replaced and not found.dockerd.old,
        # All of them are in runtime_take_over: else the host was refused.
        ending=[one.name for one in found.dockerd.containers] if replaced else [],
    )
    unit_known(name="read docker.service", units=["docker.service"], drop_in=DROP_IN)
    unit_current(name="run Docker with this", unit="docker.service", files=[PATH], stamp=STAMP)
    # Before any engine is stopped for it: what takes long is done while the old one still serves.
    for reference in host.loop(sorted({engine.image for engine in spec.engines.values()})):
        image(name=f"pull {reference}", reference=reference, _timeout=PULL_SECONDS)


def _gpus(spec: HostSpec, distribution: Distribution) -> None:
    file(
        name=f"place {CDI_DROP_IN}",
        path=CDI_DROP_IN,
        content=render("nvidia-cdi-refresh.service.d"),
    )
    repository(
        name="add the repository of NVIDIA's container toolkit",
        wanted=distribution.toolkit_repository(spec.runtime),
    )
    version = spec.runtime.toolkit_version
    lockstep(
        name=f"install and hold NVIDIA's container toolkit {version}",
        names=TOOLKIT,
        version=version,
    )
    unit_known(name=f"read {CDI}", units=[CDI], drop_in=CDI_DROP_IN)
    cdi_fresh(name="write the CDI specification")


@deploy("runtime")
def split(spec: HostSpec) -> None:
    """Split GPUs as declared, by the node's own program, which must be in place."""
    if not spec.driver.gpu_count:
        return
    if spec.driver.mig:
        file(
            name=f"place {SYSTEMD}/{MIG}",
            path=f"{SYSTEMD}/{MIG}",
            content=render("stoker-mig.service"),
        )
        unit_known(name=f"read {MIG}", units=[MIG])
        mig_current(name="split GPUs as driver_mig says")
    else:
        mig_gone(name=f"remove {SYSTEMD}/{MIG}")
