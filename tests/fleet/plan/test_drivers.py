"""The driver in the plan: what is decided, in the document and in one line of the text."""

from datetime import date

import msgspec
import pytest
from msgspec.structs import replace

from fleet.plan import document, text
from fleet.plan.document import DriverPlan, HostPlan
from fleet.plan.hosts import host
from fleet.plan.seen import NOT_ASKED, Seen
from tests.fleet.driver.samples import ARCHIVE, H100, WORKING, bare, change, gpus
from tests.fleet.plan.samples import given
from tests.fleet.samples import spec

TODAY = date(2027, 2, 1)


def plan(seen: Seen, **data: object) -> HostPlan:
    return host(spec(**data), seen, [], replace(given(), today=TODAY))


def looked(**changes: object) -> Seen:
    return Seen(contact="looked at", bare=bare(change(H100, **changes)))


def lines(made: HostPlan) -> list[str]:
    return text.render(document.plan("x", (made,), offline=False), 200).splitlines()


def test_a_driver_to_be_installed() -> None:
    made = plan(looked())
    said = "595 open (production, supported until 2027-03), pinned and held"
    assert made.driver == DriverPlan(
        branch="595", flavour="open", version="", adopted=False, message=said
    )
    assert f"  driver      {said}" in lines(made)
    assert "driver branch 595 gets no fixes after 2027-03, in 59 days" in made.warnings


def test_a_driver_that_is_adopted() -> None:
    seen = Seen(contact="looked at", bare=bare(change(WORKING, packages=ARCHIVE)))
    made = plan(seen)
    said = "adopted: 590.48.01 from the distribution's packages, left as it is"
    assert made.driver == DriverPlan(
        branch="590", flavour="", version="590.48.01", adopted=True, message=said
    )
    assert f"  driver      {said}" in lines(made)


def test_a_driver_that_is_refused_has_no_line() -> None:
    made = plan(looked(gpus=gpus("1db4", "2901")))
    assert made.driver is None
    assert not [line for line in lines(made) if line.startswith("  driver")]


def test_a_host_that_nobody_looked_at() -> None:
    declared = plan(NOT_ASKED, driver_gpu_type="H200", driver_branch="lts").driver
    assert declared
    assert declared.message.startswith("580 open (long-term, supported until 2028-06), pinned")
    unknown = plan(NOT_ASKED).driver
    assert unknown
    assert unknown.message == "595 (production, supported until 2027-03), if its GPUs allow it"
    assert plan(NOT_ASKED, driver_gpu_count=0, engine_gpus=0).driver is None


def test_it_is_in_the_document() -> None:
    made = document.plan("x", (plan(looked()),), offline=False)
    [there] = msgspec.json.decode(msgspec.json.encode(made))["hosts"]
    assert there["driver"]["branch"] == "595"


@pytest.mark.parametrize(
    ("ids", "kind", "card", "source"),
    [
        (("2330", "2330"), None, "H100-SXM", "found"),
        (("2330", "2331"), None, "H100-SXM", "found"),
        (("20b0", "20b2"), None, "A100-40-SXM", "found"),
        (("2330", "2684"), None, "RTX-4090", "found"),
        (("2330", "2203"), None, None, "unknown"),
        (("2330",), "H200", "H200", "declared"),
    ],
)
def test_the_gpus_are_known_before_there_is_a_driver(
    ids: tuple[str, ...], kind: str | None, card: str | None, source: str
) -> None:
    made = plan(looked(gpus=gpus(*ids)), driver_gpu_type=kind)
    assert (made.gpus.card, made.gpus.source) == (card, source)
    said = "driver_gpu_type is H200, but on the PCI bus is H100-SXM"
    assert (said in made.warnings) == (kind == "H200")
