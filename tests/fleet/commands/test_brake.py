"""Who holds a slot, as `stoker brake` shows it."""

import msgspec

from agent.slots import Debt, Slots
from fleet.commands import brake_text
from fleet.commands.hosts import Answer
from tests.fleet.commands.fakes import bad, gone, good


def said(host: str, slots: Slots | None) -> Answer:
    return good(host, msgspec.json.encode(slots).decode())


def screen(*answers: Answer) -> str:
    return brake_text.render(brake_text.nodes({one.host: one for one in answers}), now=1090.0)


HELD = Slots(name="a.12", since=1000.0, asked=("m", "n"), got=("m", "n"), out=("main",))


def test_holders_by_group_with_what_is_out() -> None:
    other = Slots(name="b.34", since=1080.0, asked=("n",), refusal="all 1 slots are taken")
    assert screen(said("a", HELD), said("b", other), said("c", Slots())).splitlines() == [
        "m",
        "  a                a.12  2 min  out: main",
        "n",
        "  a                a.12  2 min  out: main",
        "  b                b.34  10 s  asked for, not granted",
        "  b: last refusal: all 1 slots are taken",
    ]


def test_nobody_holds_one() -> None:
    assert screen(said("a", Slots())) == "nobody holds a slot"


def test_what_cannot_be_known_is_said() -> None:
    owing = Slots(debts=(Debt(name="b.1", group="m"), Debt(name="b.1", group="n", again=True)))
    shown = screen(gone("a"), said("b", owing), said("c", None), bad("d", 127, "no such command\n"))
    assert shown.splitlines() == [
        "nobody holds a slot",
        "? a: cannot be reached over SSH: no answer; it may hold a slot",
        "! b could not give back m of b.1 yet",
        "? d: no such command; it may hold a slot",
        "no FleetLock server: c",
    ]
