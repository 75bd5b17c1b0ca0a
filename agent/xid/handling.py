"""How each number is handled: the defaults where the authorities contradict each other.

A number without a row gets what the catalogue says. gpud, DCGM, AWS and NVIDIA disagree on most
rows below; an operator overrules one with `check_xid`.
"""

from agent.model import Remedy, Value
from agent.xid.catalogue import INSPECT, Entry, Severity, entry
from agent.xid.context import DAY, WEEK


class Handling(Value, frozen=True, kw_only=True):
    """One row.

    `owned`: only the process counts that was hit; it must be an engine's. `again` is the remedy
    from the `times`-th burst within `within` seconds on; lines less than `burst` seconds apart
    are one burst. `later`: what to do at the next chance, without a drain for it now.
    `ask_driver`: drained until the driver says (field 230, Xid 154) what the GPU needs.
    `second_sign`: nothing by itself; `unless` if field 230 or the engine's probe is bad.
    """

    remedy: Remedy
    owned: bool = False
    again: Remedy | None = None
    times: int = 2
    within: float = DAY
    burst: float = 5.0
    same_place: bool = False
    spread_is_software: bool = False
    later: Remedy = Remedy.NONE
    ask_driver: bool = False
    second_sign: Remedy | None = None
    fabric: bool = False
    hands_off: bool = False
    ticket: bool = False
    why: str = ""


def _app(burst: float = 5.0, *, place: bool = False) -> Handling:
    return Handling(
        remedy=Remedy.RESTART,
        owned=True,
        again=Remedy.QUARANTINE,
        burst=burst,
        same_place=place,
        spread_is_software=True,
        why="the process has lost its context; the GPU is fine unless it repeats on this one",
    )


def _once(remedy: Remedy, why: str, *, fabric: bool = False) -> Handling:
    return Handling(remedy=remedy, again=Remedy.QUARANTINE, within=WEEK, fabric=fabric, why=why)


_GSP = Handling(
    remedy=Remedy.RESET,
    hands_off=True,
    why="driver calls on this GPU may block for ever; reset with a deadline, then reboot",
)
_TICKET = Handling(remedy=Remedy.NONE, ticket=True, why="a ticket, at convenience")
_NO_BUCKET = Handling(
    remedy=Remedy.REBOOT, why="NVIDIA lists no action; only a boot is known to help"
)

HANDLING: dict[int, Handling] = {
    13: _app(burst=15.0, place=True),
    31: _app(burst=180.0),
    32: _app(),
    38: Handling(remedy=Remedy.NONE, second_sign=Remedy.RESTART, why="watch the engine"),
    43: Handling(remedy=Remedy.RESTART, owned=True, why="its channel was stopped, the GPU is fine"),
    44: Handling(remedy=Remedy.NONE, second_sign=Remedy.RESTART, why="watch the engine"),
    46: _once(Remedy.RESET, "the GPU stopped processing"),
    63: Handling(
        remedy=Remedy.NONE,
        later=Remedy.RESET,
        why="a spare row will take the place of the bad one at the next reset; work may go on",
    ),
    64: _once(Remedy.RESET, "the bad row could not be replaced"),
    79: _once(Remedy.REBOOT, "nothing reaches the GPU over PCIe any more"),
    94: Handling(
        remedy=Remedy.RESTART,
        owned=True,
        again=Remedy.RESET,
        burst=15.0,
        later=Remedy.RESET,
        why="the error is contained: only this process is hurt",
    ),
    109: Handling(
        remedy=Remedy.RESTART,
        again=Remedy.RESET,
        ask_driver=True,
        why="a context switch timed out; the driver knows whether the GPU needs a reset",
    ),
    119: _GSP,
    120: _GSP,
    121: Handling(remedy=Remedy.NONE, why="corrected; only counted"),
    136: _once(Remedy.RESET, "a link did not train", fabric=True),
    140: _once(Remedy.RESET, "an ECC error escaped recovery"),
    155: Handling(remedy=Remedy.RESET, fabric=True, why="the driver declared an NVLink error"),
    156: Handling(
        remedy=Remedy.NONE, later=Remedy.RESET, why="a unit was retired; the next reset applies it"
    ),
    157: _TICKET,
    165: _TICKET,
    167: _NO_BUCKET,
    169: _NO_BUCKET,
    173: _NO_BUCKET,
    175: Handling(remedy=Remedy.NONE, ask_driver=True, why="new: only the driver knows"),
}


def handling(xid: int) -> Handling:
    """Return how to handle a number: its row, or what its class in the catalogue means."""
    return HANDLING.get(xid) or _from(entry(xid))


def _from(known: Entry) -> Handling:
    if known.severity is Severity.UNKNOWN:
        return Handling(
            remedy=Remedy.NONE, second_sign=Remedy.DRAIN, why="this number is not expected"
        )
    if known.action == INSPECT and known.remedy is Remedy.NONE:
        return Handling(
            remedy=Remedy.NONE, second_sign=Remedy.DRAIN, ticket=True, why="a person should look"
        )
    owned = known.remedy is Remedy.RESTART
    return Handling(
        remedy=known.remedy,
        owned=owned,
        fabric=known.area == "fabric" and known.remedy is Remedy.RESET,
        why=known.note.split(";")[0].split(". ")[0],
    )
