"""Which branch a setting means, and until when it is good."""

from datetime import date

import pytest

from agent.errors import SpecError
from agent.spec import DriverSpec
from fleet.driver import branches, names
from fleet.driver.branches import branches as table
from fleet.driver.branches import ending, faults, resolve


def test_one_branch_for_each_alias_and_it_is_supported() -> None:
    aliases = {one.alias: one for one in table().values() if one.alias}
    assert {alias: one.kind for alias, one in aliases.items()} == {
        "lts": "LTSB",
        "production": "PB",
    }
    assert all(one.supported and one.end_of_life for one in aliases.values())


def test_a_branch_that_may_be_taken_ends_on_a_known_day() -> None:
    assert [one.name for one in table().values() if one.supported] == ["580", "595", "620"]
    assert branches.choices() == "580, 595 or 620"


@pytest.mark.parametrize(
    ("branch", "version", "said"),
    [
        (
            "535",
            None,
            "driver_branch = '535': is no longer supported by NVIDIA; take 580, 595 or 6",
        ),
        ("570", None, "is no longer supported"),
        ("615", None, "is a branch for new features, for which NVIDIA promises no fixes; take"),
        ("999", None, "driver_branch = '999': is no branch that we know; take 580, 595 or 620, or"),
        (
            "595",
            "580.178.04",
            "driver_version = '580.178.04': is not of branch 595; set driver_bra",
        ),
        ("lts", "595.91.07", "is not of branch 580; set driver_branch = '595'"),
    ],
)
def test_what_cannot_be_meant(branch: str, version: str | None, said: str) -> None:
    [fault] = faults(DriverSpec(branch=branch, version=version))
    assert said in fault
    assert faults(DriverSpec(branch=branch, version=version, gpu_count=0)) == []


@pytest.mark.parametrize("branch", ["535", "615", "999"])
def test_force_takes_any_branch(branch: str) -> None:
    assert resolve(branch, None, 0, force=True).name == branch


def test_an_alias_bends_to_old_gpus_and_a_name_does_not() -> None:
    assert resolve("production", None, 580, force=False).name == "580"
    assert resolve("595", None, 580, force=False).name == "595"
    assert resolve("production", None, 0, force=False).name == "595"


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (date(2026, 11, 24), None),
        (date(2026, 12, 31), None),
        (date(2027, 1, 1), "driver branch 595 gets no fixes after 2027-03, in 90 days"),
        (date(2027, 3, 31), "in 1 days"),
        (date(2027, 4, 1), "driver branch 595 is past its end of life (2027-03)"),
    ],
)
def test_the_end_is_told_ninety_days_before(today: date, said: str | None) -> None:
    found = ending(table()["595"], today)
    assert found == said or (said and found and said in found)


def test_a_december_ends_with_the_year() -> None:
    branch = branches.Branch(name="700", kind="PB", end_of_life="2029-12")
    assert ending(branch, date(2029, 12, 31)) is not None
    assert "past" not in str(ending(branch, date(2029, 12, 31)))
    assert "past" in str(ending(branch, date(2030, 1, 1)))


def test_what_a_branch_is_in_words() -> None:
    words = {one.name: one.standing for one in table().values()}
    assert words["595"] == "production, supported until 2027-03"
    assert words["535"] == "long-term, no longer supported"
    assert words["615"] == "new features only"


def test_no_branch_but_faults_for_the_default() -> None:
    with pytest.raises(SpecError):
        resolve("590", None, 0, force=False)
    assert faults(DriverSpec()) == []


@pytest.mark.parametrize(
    ("family", "version", "kernel", "line"),
    [
        ("debian", "12", "6.1.0-41-amd64", "amd64"),
        ("debian", "13", "6.12.57+deb13-cloud-amd64", "cloud-amd64"),
        ("debian", "13", "6.12.57+deb13-rt-amd64", "rt-amd64"),
        ("debian", "13", "6.18.0-my-own", ""),
        ("ubuntu", "24.04", "6.8.0-88-generic", "generic"),
        ("ubuntu", "24.04", "7.0.0-14-generic", "generic-hwe-24.04"),
        ("ubuntu", "24.04", "6.17.0-1014-nvidia", "nvidia-hwe-24.04"),
        ("ubuntu", "24.04", "6.8.0-1021-gcp", "gcp"),
        ("ubuntu", "24.04", "6.14.0-1010-aws", "aws"),
        ("ubuntu", "26.04", "7.0.0-22-generic", "generic"),
        ("ubuntu", "26.04", "6.18.0", ""),
    ],
)
def test_what_the_metapackages_of_a_kernel_are_called(
    family: str, version: str, kernel: str, line: str
) -> None:
    assert names.kernel_line(family, version, kernel) == line
