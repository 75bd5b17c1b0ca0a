"""What differs between the distributions we deploy to. Pure: names of repositories and packages.

What the driver's packages are called is in `fleet.driver.names`.
"""

from msgspec import Struct

from agent.spec import DriverSpec, RuntimeSpec
from fleet.operations.repository import Repository

DOCKER = ["docker-ce", "docker-ce-cli", "containerd.io"]
# Since 1.18 the four must have the very same version.
TOOLKIT = [
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
]


class Distribution(Struct, frozen=True, kw_only=True):
    """One release of a distribution. `cuda` names it in NVIDIA's repositories, with its key."""

    family: str
    codename: str
    cuda: str
    cuda_key: str

    def driver_repository(self, spec: DriverSpec) -> Repository:
        """Return NVIDIA's driver repository."""
        base = f"{spec.repository}/{self.cuda}/x86_64"
        return Repository(
            name="nvidia",
            uri=f"{base}/",
            suite="/",
            key=spec.repository_key or f"{base}/{self.cuda_key}",
            fingerprints=spec.repository_key_fingerprints,
        )

    def docker_repository(self, spec: RuntimeSpec) -> Repository:
        """Return Docker's repository."""
        base = f"{spec.docker_repository}/{self.family}"
        return Repository(
            name="docker",
            uri=base,
            suite=self.codename,
            components="stable",
            key=spec.docker_key or f"{base}/gpg",
            fingerprints=(spec.docker_key_fingerprint,),
        )

    def toolkit_repository(self, spec: RuntimeSpec) -> Repository:
        """Return the repository of NVIDIA's container toolkit."""
        return Repository(
            name="nvidia-toolkit",
            uri=f"{spec.toolkit_repository}/amd64/",
            suite="/",
            key=spec.toolkit_key,
            fingerprints=(spec.toolkit_key_fingerprint,),
        )


# By /etc/os-release: ID-VERSION_ID.
DISTRIBUTIONS = {
    "debian-12": Distribution(
        family="debian",
        codename="bookworm",
        cuda="debian12",
        cuda_key="3bf863cc.pub",
    ),
    "debian-13": Distribution(
        family="debian",
        codename="trixie",
        cuda="debian13",
        cuda_key="8793F200.pub",
    ),
    "ubuntu-24.04": Distribution(
        family="ubuntu",
        codename="noble",
        cuda="ubuntu2404",
        cuda_key="3bf863cc.pub",
    ),
    "ubuntu-26.04": Distribution(
        family="ubuntu",
        codename="resolute",
        cuda="ubuntu2604",
        cuda_key="3bf863cc.pub",
    ),
}
