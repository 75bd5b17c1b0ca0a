"""Who holds a slot, as `stoker brake` shows it."""

import msgspec

from agent.slots import Debt, Slots
from fleet.brake import table
from fleet.brake.asking import Said


def said(slots: Slots | None) -> Said:
    return Said(out=msgspec.json.encode(slots).decode(), done=True)


def screen(**hosts: Said) -> str:
    return table.render(table.nodes(hosts), now=1090.0)


HELD = Slots(name="a.12", since=1000.0, asked=("m", "n"), got=("m", "n"), out=("main",))


def test_holders_by_group_with_what_is_out() -> None:
    other = Slots(name="b.34", since=1080.0, asked=("n",), refusal="all 1 slots are taken")
    assert screen(a=said(HELD), b=said(other), c=said(Slots())).splitlines() == [
        "m",
        "  a                a.12  2 min  out: main",
        "n",
        "  a                a.12  2 min  out: main",
        "  b                b.34  10 s  asked for, not granted",
        "  b: last refusal: all 1 slots are taken",
    ]


def test_nobody_holds_one() -> None:
    assert screen(a=said(Slots())) == "nobody holds a slot"


def test_what_cannot_be_known_is_said() -> None:
    owing = Slots(debts=(Debt(name="b.1", group="m"), Debt(name="b.1", group="n", again=True)))
    shown = screen(
        a=Said(problem="timed out"), b=said(owing), c=said(None), d=Said(error="no such command\n")
    )
    assert shown.splitlines() == [
        "nobody holds a slot",
        "? a cannot be reached: timed out; it may hold a slot",
        "! b could not give back m of b.1 yet",
        "? d no such command; it may hold a slot",
        "no FleetLock server: c",
    ]
