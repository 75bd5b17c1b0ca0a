"""Stubs of the NVIDIA container toolkit: four packages that must have one version. Pure."""

from pathlib import Path

from tests.sandbox.archive import Entry
from tests.sandbox.packages.deb import Package
from tests.sandbox.packages.stub import enable, stub

FILES = Path(__file__).parent / "files"
VERSIONS = ("1.20.1-1", "1.19.1-1")
UNORDERED = ("1.19.1",)  # whose unit does not say that Docker is to wait for it
UNITS = ("nvidia-cdi-refresh.service", "nvidia-cdi-refresh.path")


def packages() -> list[Package]:
    """Give every package of the toolkit repository."""
    return [one for version in VERSIONS for one in toolkit(version)]


def toolkit(version: str) -> list[Package]:
    """Give the packages of one toolkit version."""
    same = f"(= {version})"
    number = version.partition("-")[0]
    program = (FILES / "nvidia-ctk").read_text().replace("@VERSION@", number)
    base = {"/usr/bin/nvidia-ctk": Entry(program.encode(), 0o755)}
    for unit in UNITS:
        text = (FILES / unit).read_text()
        if number in UNORDERED:
            text = text.replace("Before=docker.service\n", "")
        base[f"/usr/lib/systemd/system/{unit}"] = Entry(text.encode())
    return [
        stub("libnvidia-container1", version),
        stub("libnvidia-container-tools", version, depends=f"libnvidia-container1 {same}"),
        stub(
            "nvidia-container-toolkit-base",
            version,
            depends="python3",
            files=base,
            scripts=enable(" ".join(UNITS)),
        ),
        stub(
            "nvidia-container-toolkit",
            version,
            depends=f"nvidia-container-toolkit-base {same}, libnvidia-container-tools {same}",
        ),
    ]
