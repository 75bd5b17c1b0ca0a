"""Xid 74 (NVLink before Blackwell): what the seven registers in the message mean.

Bits after NVIDIA's workflow WORKFLOW_NVLINK_ERR; registers 2, 6 and 7 say nothing. A bit that is
not listed means a reset, like a message without registers.
"""

from enum import IntEnum

from agent.xid.fault import KernelFault


class Meaning(IntEnum):
    """What a bit leads to, the worse the higher."""

    SAFE = 0  # can be ignored, or a threshold of corrected errors
    FOLLOWS = 1  # goes along with another error; alone it is not expected
    RESET = 2  # reset; a human if it repeats on the link
    MARGINAL = 3  # signal integrity, if no other error came with it
    INSPECT = 4  # a look at the link's connectors


_BITS: dict[tuple[int, Meaning], frozenset[int]] = {
    (0, Meaning.SAFE): frozenset({0, 23, 30}),
    (0, Meaning.FOLLOWS): frozenset({1, 20}),
    (0, Meaning.RESET): frozenset({4, 5, 27, 29}),
    (0, Meaning.MARGINAL): frozenset({21, 22}),
    (0, Meaning.INSPECT): frozenset({8, 9, 12, 16, 17, 24, 28}),
    (2, Meaning.RESET): frozenset({0, 1, 2, 6, 16, 17, 18, 19}),
    (2, Meaning.INSPECT): frozenset({13}),
    (3, Meaning.FOLLOWS): frozenset({16, 17}),
    (3, Meaning.RESET): frozenset({18}),
    (4, Meaning.SAFE): frozenset({20, 23, 26, 29}),
    (4, Meaning.RESET): frozenset({18, 19, 21, 22, 24, 25, 27, 28}),
}
_JUDGED = (0, 2, 3, 4)  # registers 1, 3, 4 and 5 of the message


def decode(fault: KernelFault, *, alone: bool) -> Meaning:
    """Return the worst that the registers say; `alone`: no other fault is near."""
    bits = [(at, bit) for at in _JUDGED if at < len(fault.words) for bit in _set(fault.words[at])]
    if not bits:
        return Meaning.RESET
    found = [_meaning(at, bit) for at, bit in bits]
    if Meaning.MARGINAL in found and (len(found) > 1 or not alone):
        found = [meaning for meaning in found if meaning is not Meaning.MARGINAL]
    worst = max(found, default=Meaning.RESET)
    return Meaning.RESET if worst is Meaning.FOLLOWS else worst


def _meaning(register: int, bit: int) -> Meaning:
    hits = [meaning for (at, meaning), bits in _BITS.items() if at == register and bit in bits]
    return hits[0] if hits else Meaning.RESET


def _set(word: int) -> list[int]:
    return [bit for bit in range(32) if word >> bit & 1]
