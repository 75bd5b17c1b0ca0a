"""The real rungs, over units; and our hold on the driver, as one."""

import pytest

from agent.errors import ActionError, SourceError
from agent.hold import Hold
from agent.rungs import UnitRungs
from tests.agent.fakes import FakeUnits, Journal


@pytest.mark.parametrize(
    ("subject", "unit"),
    [
        ("gpu:GPU-1a2b", "stoker-reset@GPU-1a2b.service"),
        ("fabric", "stoker-reset@all.service"),
        ("node", "stoker-reset@all.service"),
    ],
)
async def test_a_reset_is_a_unit_of_its_own(subject: str, unit: str) -> None:
    units = FakeUnits([])
    await UnitRungs(units).reset(subject)
    assert units.journal == [f"start {unit}"]


async def test_a_reset_that_failed_says_where_to_look() -> None:
    units = FakeUnits([])
    units.fails = True
    with pytest.raises(ActionError, match=r"journalctl -u stoker-reset@A\.service"):
        await UnitRungs(units).reset("gpu:A")


async def test_a_reboot_is_systemds() -> None:
    units = FakeUnits([])
    await UnitRungs(units).reboot()
    assert units.journal == ["reboot"]


class Part:
    """The worker, or the child that waits for events."""

    def __init__(self, name: str, journal: Journal) -> None:
        self.name, self.journal = name, journal
        self.stuck = False

    async def close(self) -> None:
        self.journal.append(f"close {self.name}")
        if self.stuck:
            raise SourceError(f"the driver holds {self.name}")

    def resume(self) -> None:
        self.journal.append(f"resume {self.name}")

    start = resume


@pytest.fixture
def journal() -> Journal:
    return []


def hold(journal: Journal) -> tuple[Hold, Part, Part]:
    worker, events = Part("worker", journal), Part("events", journal)
    return Hold(worker, events), worker, events  # type: ignore[arg-type]


async def test_both_let_go_and_both_look_again(journal: Journal) -> None:
    both, *_ = hold(journal)
    await both.close()
    both.resume()
    assert journal == ["close events", "close worker", "resume worker", "resume events"]


@pytest.mark.parametrize("name", ["worker", "events"])
async def test_what_holds_on_is_an_error(journal: Journal, name: str) -> None:
    both, *parts = hold(journal)
    next(one for one in parts if one.name == name).stuck = True
    with pytest.raises(SourceError, match=f"holds {name}"):
        await both.close()


async def test_a_host_without_gpus_has_nothing_to_hold() -> None:
    none = Hold(None, None)
    with pytest.raises(SourceError, match="no GPU"):
        await none.close()
    none.resume()
