"""driver: NVIDIA's repository, the branch pinned before the driver, the driver held."""

from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet.disruption import Disruption
from fleet.distributions import DISTRIBUTIONS
from fleet.facts.bare import Bare
from fleet.operations.driver_loaded import driver_loaded
from fleet.operations.packages import packages
from fleet.operations.repository import repository
from fleet.operations.units import unit_up

DISRUPTION = Disruption.REBOOT  # a driver that is loaded is only replaced by a reboot


@deploy("driver")
def apply(spec: HostSpec, found: Bare) -> None:
    """Install the driver on a host with GPUs; leave others alone."""
    if not spec.driver.gpu_count:
        return
    distribution = DISTRIBUTIONS[found.os]
    repository(name="add NVIDIA's repository", wanted=distribution.driver_repository(spec.driver))
    pinning = f"nvidia-driver-pinning-{spec.driver.branch}"
    packages(name=f"install {pinning}", names=[pinning])
    if not found.container:  # a container builds no kernel modules
        packages(name=f"install {distribution.headers}", names=[distribution.headers], hold=True)
    packages(
        name=f"install and hold {', '.join(distribution.driver)}",
        names=list(distribution.driver),
        hold=True,
    )
    unit_up(name="run nvidia-persistenced", unit="nvidia-persistenced.service")
    if not found.container:
        driver_loaded(name="load the kernel module")
