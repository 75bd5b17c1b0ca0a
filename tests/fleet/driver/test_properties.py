"""What holds for every GPU, branch and distribution, whatever the tables say."""

import re
from collections.abc import Iterator
from itertools import pairwise, product

import pytest

from agent.errors import SpecError
from agent.planner.card import CARDS
from agent.spec import DriverSpec
from fleet.distributions import DISTRIBUTIONS
from fleet.driver import pci, recipe
from fleet.driver.branches import branches
from fleet.driver.pci import Gpu
from fleet.driver.recipe import Recipe
from fleet.driver.tables import table

GPUS = [
    pci.gpu(row["id"])
    for row in table("pci.tsv")
    if len(row["id"]) == 4 and row["form"] != "switch"
]
CHANGES = ("lts", "production", *branches())


def recipes() -> Iterator[tuple[Gpu, Recipe]]:
    for gpu, name, branch in product(GPUS, DISTRIBUTIONS, CHANGES):
        spec = DriverSpec(branch=branch, force_branch=True)
        kernels = ("6.8.0-88-generic",)
        try:
            made = recipe.of(
                spec, recipe.Host(os=name, gpus=(gpu,) * 8, kernels=kernels, switches=4)
            )
        except SpecError:
            continue
        yield gpu, made


ALL = list(recipes())


def test_there_are_many() -> None:
    assert len(GPUS) >= 45
    assert len(ALL) > 1000


def test_blackwell_and_grace_are_never_driven_by_proprietary_modules() -> None:
    for gpu, made in ALL:
        if "blackwell" in gpu.generation.name or "grace" in gpu.generation.name:
            assert made.flavour == "open", gpu


def test_before_turing_nothing_is_open_and_nothing_is_newer_than_580() -> None:
    old = [made for gpu, made in ALL if gpu.generation.name in {"maxwell", "pascal", "volta"}]
    assert old
    assert {made.flavour for made in old} == {"proprietary"}
    assert max(int(made.branch) for made in old) == 580


def test_from_turing_on_modules_are_open() -> None:
    new = [made for gpu, made in ALL if not gpu.generation.last]
    assert {made.flavour for made in new} == {"open"}


def test_whatever_is_installed_is_held_and_pinned_to_its_branch() -> None:
    for _, made in ALL:
        assert set(made.held) >= {*made.packages, *made.headers, made.pin}
        assert made.pin == made.pin_prefix + made.branch
        assert made.held[0] == made.pin


def test_what_is_installed_is_no_conflict_and_is_kept_from_upgrades_by_night() -> None:
    for _, made in ALL:
        assert not {*made.packages} & {*made.conflicts}
        for name in made.packages:
            if name != "infiniband-diags":
                assert any(re.search(one, name) for one in made.blacklist), name


def test_what_must_match_the_driver_is_installed_and_has_a_unit() -> None:
    for _, made in ALL:
        assert set(made.exact) <= set(made.fabric)
        assert all(f"{name}.service" in made.units for name in made.exact)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_container_builds_no_module(name: str) -> None:
    made = recipe.of(DriverSpec(), recipe.Host(os=name, gpus=(pci.gpu("2330"),)))
    assert (made.headers, made.kernels) == ((), ())


def test_ranges_do_not_overlap_and_agree_with_the_ids_in_them() -> None:
    rows = [row for row in table("pci.tsv") if row["form"] != "switch"]
    ranges = [
        (int(row["id"][:4], 16), int(row["id"][5:], 16), row) for row in rows if "-" in row["id"]
    ]
    assert all(one[1] < two[0] for one, two in pairwise(ranges))
    for row in rows:
        for first, last, known in ranges:
            if "-" not in row["id"] and first <= int(row["id"], 16) <= last:
                assert row["generation"] == known["generation"], row
                assert int(row["least"] or 0) >= int(known["least"] or 0), row


def test_the_planners_names_are_its_own_and_have_the_memory_of_the_form() -> None:
    cards = {gpu.name: CARDS[gpu.card] for gpu in GPUS if gpu.card}
    assert {card.name for card in cards.values()} == set(CARDS)
    for gpu in GPUS:
        if gpu.card and gpu.form in {"SXM", "NVL", "PCIe"}:
            assert CARDS[gpu.card].form == gpu.form, gpu
