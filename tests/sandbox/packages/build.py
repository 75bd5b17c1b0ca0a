"""Builds the three repositories of the depot into a directory, once for each set of inputs."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.sandbox import docker, images, recipes
from tests.sandbox.archive import unpack
from tests.sandbox.packages import deb, docker_ce, module, nvidia, repository, toolkit
from tests.sandbox.packages.signing import ensure_key, sign
from tests.sandbox.progress import step

DEBIAN_PACKAGES = {
    "bookworm": ("docker.io", "containerd", "runc"),
    "trixie": ("docker.io", "docker-cli", "containerd", "runc"),
}
ARCHIVES = "/var/cache/apt/archives"


def ensure(root: Path, secret: Path, nvml: Path, nvidia_smi: Path, releases: Iterable[str]) -> str:
    """Fill `root` with repositories laid out as the real ones; give the signing key's fingerprint.

    `nvidia/debianNN/x86_64/` and `toolkit/amd64/` are flat, `docker/debian/` has a suite for each
    of `releases`, `key.asc` is the key.
    """
    releases = sorted(releases)
    stamp, fingerprint = root / "stamp", root / "fingerprint"
    wanted = _stamp(nvml, nvidia_smi, releases)
    if stamp.exists() and stamp.read_text() == wanted and secret.exists():
        return fingerprint.read_text()
    with step("building and signing the apt repositories"):
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        ensure_key(secret)
        signed = [*_drivers(root, nvml, nvidia_smi, releases), *_others(root, releases)]
        fingerprint.write_text(sign(secret, signed, root / "key.asc"))
        stamp.write_text(wanted)
    return fingerprint.read_text()


def publish(
    root: Path,
    secret: Path,
    nvml: Path,
    nvidia_smi: Path,
    releases: Iterable[str],
    versions: Sequence[str] = nvidia.VERSIONS,
) -> str:
    """Replace the repository of drivers by one with `versions`; give the fingerprint of its key.

    `secret` signs it, and is made where there is none; the other repositories stay as they are.
    """
    ensure_key(secret)
    shutil.rmtree(root / "nvidia", ignore_errors=True)
    signed = _drivers(root, nvml, nvidia_smi, releases, versions)
    return sign(secret, signed, root / "key.asc")


def _drivers(
    root: Path,
    nvml: Path,
    nvidia_smi: Path,
    releases: Iterable[str],
    versions: Sequence[str] = nvidia.VERSIONS,
) -> list[Path]:
    parts = nvidia.Parts(nvml.read_bytes(), nvidia_smi.read_bytes(), module.template())
    driver = [deb.build(package) for package in nvidia.packages(parts, versions)]
    places = (f"nvidia/debian{docker_ce.DEBIAN_NUMBER[release]}/x86_64" for release in releases)
    return [repository.write_flat(root / place, driver, "NVIDIA") for place in places]


def _others(root: Path, releases: list[str]) -> list[Path]:
    container = [deb.build(package) for package in toolkit.packages()]
    engine = {
        release: docker_ce.packages(release, _debian_packages(release)) for release in releases
    }
    return [
        repository.write_flat(root / "toolkit/amd64", container, "NVIDIA-CONTAINER-TOOLKIT"),
        *repository.write_suites(root / "docker/debian", engine, "Docker"),
    ]


def _debian_packages(release: str) -> dict[str, bytes]:
    """Debian's packages, from the cache of the image whose hosts would install them."""
    image = images.ensure(recipes.host(release))
    names = DEBIAN_PACKAGES[release]
    wanted = " ".join(f"{name}_*.deb" for name in names)
    command = f"cd {ARCHIVES} && tar -c {wanted}"
    packed = docker.docker("run", "--rm", "--network", "none", image, "sh", "-c", command)
    return {name.split("_")[0]: content for name, content in unpack(packed.raw).items()}


def _stamp(nvml: Path, nvidia_smi: Path, releases: list[str]) -> str:
    """Digest of all inputs: what is served, the code that makes it, the images it comes from."""
    here = Path(__file__).parent
    sources = sorted(path for path in here.rglob("*") if path.is_file() and path.suffix != ".pyc")
    digest = hashlib.sha256(os.uname().release.encode())
    for path in (nvml, nvidia_smi, *sources):
        digest.update(path.name.encode() + path.read_bytes())
    for release in releases:
        digest.update(recipes.host(release).reference.encode())
    return digest.hexdigest()
