"""Fills a depot with what a deploy takes from it: apt repositories, the engine's image, a model."""

import sys
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from tests.sandbox.depot import Depot
from tests.sandbox.images import BUILD_DEADLINE
from tests.sandbox.layout import REPOSITORY
from tests.sandbox.models import make_tiny
from tests.sandbox.nvml import build as nvml
from tests.sandbox.packages.build import ensure as ensure_packages
from tests.sandbox.progress import step
from tests.sandbox.shell import run
from tests.sandbox.together import together

MODEL = "stoker/tiny-llama"
ENGINE_IMAGE = "tests.sandbox.engine_sim.image"
ENGINE_REPOSITORY = "stoker/tgi-sim"


def fill(depot: Depot, releases: Iterable[str]) -> None:
    """Fill `depot`, leaving what is up to date alone; `releases` are the hosts' Debian releases."""
    together(partial(_packages, depot, releases), partial(_model, depot), partial(_engine, depot))


def _packages(depot: Depot, releases: Iterable[str]) -> None:
    library = nvml.build(depot.layout.directory / "nvml")
    secret = depot.layout.directory / "apt-key.asc"
    fingerprint = ensure_packages(depot.root / "apt", secret, library, nvml.SMI, releases)
    depot.describe(apt_key_fingerprint=fingerprint)


def _engine(depot: Depot) -> None:
    with step("building the engine simulator's image, unless it is there"):
        # In a process of its own, so that what debootstrap and pip say does not reach the terminal.
        built = run([sys.executable, "-m", ENGINE_IMAGE], deadline=BUILD_DEADLINE, cwd=REPOSITORY)
    depot.push(built.out.split()[-1], ENGINE_REPOSITORY, "tgi")


def _model(depot: Depot) -> None:
    """The tiny model is gated, so that downloading it takes the token."""
    if depot.has_model(MODEL):
        return
    with tempfile.TemporaryDirectory(prefix="stoker-model-") as scratch:
        make_tiny(Path(scratch) / "model")
        depot.add_model(MODEL, Path(scratch) / "model", gated=True)
