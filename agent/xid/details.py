"""What the tails of certain messages say beyond number and process."""

import re
from collections.abc import Callable
from typing import TypedDict

from agent.xid.fault import Action

_HEX = r"0x[0-9a-fA-F]{1,8}"
_CAUSE = re.compile(r"caused by previous Xid (\d{1,4})")
_CHANGE = re.compile(
    r"changed from (?:(0x[0-9a-fA-F]{1,4}) )?\(?([^()]{1,40}?)\)? "
    r"to (?:(0x[0-9a-fA-F]{1,4}) ?)?\(?([^(),.]{1,40})\)?"
)
_PLACE = re.compile(r"\(GPC (\d{1,3}), TPC (\d{1,3})")
_LINK4 = re.compile(rf"link (\d{{1,3}}) ?\(({_HEX}(?:, ?{_HEX})*)\)")
_LINK5 = re.compile(
    r"(?P<unit>[A-Z][A-Z0-9_/]*) +(?P<word>Fatal|Non-?fatal) +XC ?\d +i ?\d+ +"
    rf"Link +(?P<link>-?\d+) +[(\[](?P<words>{_HEX}(?:[ ,]+{_HEX})*)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\b(Fatal|Non-?fatal)\b", re.IGNORECASE)
_RESETS = re.compile(r"\bRST: ?(Yes|No), D-RST: ?(Yes|No)")

# Names differ between driver branches; where a name is new to us, its number decides.
_ACTIONS = {
    "none": Action.NONE,
    "gpu reset required": Action.GPU_RESET,
    "gpu reset": Action.GPU_RESET,
    "pf flr": Action.GPU_RESET,
    "node reboot required": Action.NODE_REBOOT,
    "node reboot": Action.NODE_REBOOT,
    "os reboot": Action.NODE_REBOOT,
    "drain p2p": Action.DRAIN_P2P,
    "drain and reset": Action.DRAIN_AND_RESET,
    "recover imex domain": Action.RECOVER_IMEX,
    "bus reset": Action.BUS_RESET,
    "system reboot": Action.SYSTEM_REBOOT,
}


class Details(TypedDict, total=False):
    """Fields of a `KernelFault` that a tail fills."""

    cause: int
    former: Action | None
    action: Action | None
    place: tuple[int, int]
    link: int
    words: tuple[int, ...]
    unit: str
    fatal: bool
    resets: tuple[bool, bool]


def details(xid: int, tail: str) -> Details:
    """Return what the tail of the message of `xid` says; nothing where it cannot be read."""
    read = _READERS.get(xid)
    return read(tail) if read else {}


def fatal(word: str) -> bool:
    """Return whether the word is Fatal (and not Nonfatal or Non-fatal)."""
    return word.lower() == "fatal"


def _cause(tail: str) -> Details:
    found = _CAUSE.search(tail)
    return {"cause": int(found[1])} if found else {}


def _change(tail: str) -> Details:
    found = _CHANGE.search(tail)
    if not found:
        return {}
    return {"former": _action(found[1], found[2]), "action": _action(found[3], found[4])}


def _action(number: str | None, name: str) -> Action | None:
    known = _ACTIONS.get(name.strip().lower())
    if known is None and number is not None and int(number, 16) in set(Action):
        return Action(int(number, 16))
    return known


def _place(tail: str) -> Details:
    found = _PLACE.search(tail)
    return {"place": (int(found[1]), int(found[2]))} if found else {}


def _link4(tail: str) -> Details:
    found = _LINK4.search(tail)
    return {"link": int(found[1]), "words": _words(found[2])} if found else {}


def _link5(tail: str) -> Details:
    found = _LINK5.search(tail)
    if found:
        return {
            "unit": found["unit"].upper(),
            "fatal": fatal(found["word"]),
            "link": int(found["link"]),
            "words": _words(found["words"]),
        }
    word = _WORD.search(tail)
    return {"fatal": fatal(word[1])} if word else {}


def _resets(tail: str) -> Details:
    found = _RESETS.search(tail)
    return {"resets": (found[1] == "Yes", found[2] == "Yes")} if found else {}


def _words(text: str) -> tuple[int, ...]:
    return tuple(int(word, 16) for word in re.findall(_HEX, text))


_READERS: dict[int, Callable[[str], Details]] = {
    13: _place,
    45: _cause,
    74: _link4,
    94: _resets,
    95: _resets,
    **dict.fromkeys(range(144, 151), _link5),
    154: _change,
}
