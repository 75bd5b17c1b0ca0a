"""Every GPU × every distribution × every branch: the recipe that the two tables say, or none."""

import csv
from itertools import product
from pathlib import Path

import pytest

from agent.errors import SpecError
from agent.spec import DriverSpec
from fleet.distributions import DISTRIBUTIONS
from fleet.driver import pci, recipe
from fleet.driver.recipe import Recipe

HERE = Path(__file__).parent
BRANCHES = ("production", "lts", "580", "595", "620")


def table(name: str) -> list[dict[str, str]]:
    lines = [line for line in (HERE / name).read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


DECISIONS = {row["id"]: row for row in table("decisions.tsv")}
PACKAGES = {(row["os"], row["branch"], row["flavour"]): row for row in table("packages.tsv")}
KERNELS = {row["os"]: row["kernel"] for row in PACKAGES.values()}


def fabric(device: str) -> tuple[str, ...]:
    said = DECISIONS.get(device, {}).get("fabric", "-")
    return () if said == "-" else tuple(said.split())


def made(device: str, name: str, branch: str) -> Recipe:
    host = recipe.Host(
        os=name,
        gpus=(pci.gpu(device),) * 8,
        kernels=(KERNELS[name],),
        switches=4 if fabric(device) else 0,
    )
    return recipe.of(DriverSpec(branch=branch), host)


def test_the_tables_are_whole() -> None:
    assert len(DECISIONS) >= 30
    assert set(KERNELS) == set(DISTRIBUTIONS)


@pytest.mark.parametrize(("device", "name"), list(product(DECISIONS, KERNELS)))
def test_a_gpu_gets_what_the_tables_say(device: str, name: str) -> None:
    for branch in BRANCHES:
        expected = DECISIONS[device][branch]
        if expected == "-":
            with pytest.raises(SpecError):
                made(device, name, branch)
            continue
        number, flavour = expected.split()
        packages = PACKAGES[name, number, flavour]
        found = made(device, name, branch)
        assert (found.branch, found.flavour) == (number, flavour), branch
        assert found.pin == f"nvidia-driver-pinning-{number}"
        assert found.headers == tuple(packages["headers"].split())
        assert found.driver == tuple(packages["driver"].split())
        assert found.conflicts == tuple(packages["conflicts"].split())
        assert found.fabric == fabric(device)
