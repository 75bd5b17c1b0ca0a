"""Fills a depot with what a deploy takes from it: apt repositories, engine images, models."""

import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.sandbox.depot import Depot
from tests.sandbox.images import BUILD_DEADLINE
from tests.sandbox.layout import REPOSITORY, HostLayout
from tests.sandbox.models import make_tiny
from tests.sandbox.models.smollm2 import make_smollm2
from tests.sandbox.nvml import build as nvml
from tests.sandbox.packages.build import ensure as ensure_packages
from tests.sandbox.progress import step
from tests.sandbox.shell import run
from tests.sandbox.together import together
from tests.sandbox.vllm_cpu import image as vllm_cpu

SIMULATOR_IMAGE = "tests.sandbox.engine_sim.image"


def simulator_image(dialect: str) -> str:
    """Give the local image of a dialect of the engine simulator, building it if need be."""
    with step(f"building the engine simulator's image for {dialect}"):
        # In a process of its own, so that what debootstrap and pip say stays off the terminal.
        built = run(
            [sys.executable, "-m", SIMULATOR_IMAGE, dialect],
            deadline=BUILD_DEADLINE,
            cwd=REPOSITORY,
        )
    return built.out.split()[-1]


@dataclass(frozen=True)
class Image:
    """An engine's image: its name in the depot, and the key of its pinned reference there."""

    key: str
    repository: str
    build: Callable[[], str]


@dataclass(frozen=True)
class Supply:
    """What the depot holds for hosts with one engine: its images, and the model that it serves."""

    engine: str
    images: tuple[Image, ...]
    model: str
    make_model: Callable[[Path], None]
    gated: bool


SIMULATORS = (
    Image("tgi", "stoker/tgi-sim", partial(simulator_image, "tgi")),
    Image("vllm-sim", "vllm/vllm-openai", partial(simulator_image, "vllm")),
    Image("sglang-sim", "lmsysorg/sglang", partial(simulator_image, "sglang")),
)
SUPPLIES = (
    # Gated, so that downloading it takes the token.
    Supply("tgi", SIMULATORS, "stoker/tiny-llama", make_tiny, gated=True),
    Supply(
        "vllm",
        (Image("vllm", "stoker/vllm-cpu", vllm_cpu.build),),
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        make_smollm2,
        gated=False,
    ),
)


def make(depot: Depot, hosts: Iterable[HostLayout]) -> None:
    """Make what `hosts` will need, leaving what is up to date alone; the depot need not run yet."""
    hosts = tuple(hosts)
    calls: list[Callable[[], object]] = [
        partial(_packages, depot, sorted({host.release for host in hosts}))
    ]
    for supply in _wanted(hosts):
        calls += [partial(_images, supply), partial(_model, depot, supply)]
    together(*calls)


def push(depot: Depot, hosts: Iterable[HostLayout]) -> None:
    """Push the engine images that `hosts` will need to the running depot."""
    for supply in _wanted(hosts):
        for image in supply.images:
            depot.push(image.build(), image.repository, image.key)


def _wanted(hosts: Iterable[HostLayout]) -> list[Supply]:
    engines = {host.engine for host in hosts}
    return [supply for supply in SUPPLIES if supply.engine in engines]


def _packages(depot: Depot, releases: list[str]) -> None:
    library = nvml.build(depot.layout.directory / "nvml")
    secret = depot.layout.directory / "apt-key.asc"
    fingerprint = ensure_packages(depot.root / "apt", secret, library, nvml.SMI, releases)
    depot.description.set("apt_key_fingerprint", fingerprint)


def _images(supply: Supply) -> None:
    # One after the other: the simulators are made of the first of them.
    for image in supply.images:
        image.build()


def _model(depot: Depot, supply: Supply) -> None:
    if depot.has_model(supply.model):
        return
    # Beside the depot's own files: what lies on one file system can be linked instead of copied.
    with tempfile.TemporaryDirectory(dir=depot.layout.directory, prefix="model-") as scratch:
        made = Path(scratch) / "model"
        supply.make_model(made)
        depot.add_model(supply.model, made, gated=supply.gated)
