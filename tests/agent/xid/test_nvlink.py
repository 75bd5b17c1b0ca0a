"""The two decoders of NVLink faults, against the table and NVIDIA's bits."""

from __future__ import annotations

import pytest

from agent.xid import nvlink4, nvlink5
from agent.xid.nvlink4 import Meaning
from tests.agent.xid.making import fault
from tests.corpus import labels

ROWS = labels.nvlink5()


def test_there_are_94_rules() -> None:
    assert len(nvlink5.rules()) == len(ROWS) == 94


@pytest.mark.parametrize("branch", [570, 575, 595, None])
def test_every_rule_is_found_by_its_words(branch: int | None) -> None:
    layout = "v1" if branch == 570 else "v2"
    for row in ROWS:
        # Bits that the mask leaves out say nothing.
        noise = 0x0008_0000 & ~int(row[f"{layout}_mask"], 16)
        words = (int(row[f"{layout}_value"], 16) | noise, int(row["error_status"], 16))
        told = fault(int(row["xid"]), words=words, unit=row["unit"].split("/")[-1])
        rule = nvlink5.decode(told, branch)
        assert rule is not None, row
        assert (rule.xid, rule.resolution) == (int(row["xid"]), row["nvidia_resolution"]), row
        assert row["unit"].split("/")[-1] in rule.units


def test_the_error_word_must_be_exact() -> None:
    assert nvlink5.decode(fault(144, words=(0x1, 0x2), unit="SAW_MVB"), 595) is not None
    assert nvlink5.decode(fault(144, words=(0x1, 0x3), unit="SAW_MVB"), 595) is None
    assert nvlink5.decode(fault(144, words=(0x1,), unit="SAW_MVB"), 595) is None
    assert nvlink5.decode(fault(145, words=(0x1, 0x2), unit="SAW_MVB"), 595) is None


def test_a_new_branch_that_prints_the_old_layout_is_read_by_the_units_name() -> None:
    told = fault(149, words=(0x016415C6, 0x0), unit="NETIR_LINK_EVT", fatal=True)
    rule = nvlink5.decode(told, 595)
    assert rule is not None
    assert rule.resolution == nvlink5.RESET
    assert nvlink5.decode(fault(149, words=(0x016415C6, 0x0), unit="NEW_UNIT"), 595) is None


@pytest.mark.parametrize(
    ("words", "alone", "meaning"),
    [
        ((1 << 0 | 1 << 23 | 1 << 30,), True, Meaning.SAFE),
        ((0, 0, 0, 0, 1 << 20), True, Meaning.SAFE),
        ((1 << 4,), True, Meaning.RESET),
        ((1 << 8,), True, Meaning.INSPECT),
        ((0, 0, 1 << 13), True, Meaning.INSPECT),
        ((1 << 21,), True, Meaning.MARGINAL),
        ((1 << 21,), False, Meaning.RESET),
        ((1 << 21 | 1 << 4,), True, Meaning.RESET),
        ((1 << 1,), True, Meaning.RESET),
        ((1 << 1 | 1 << 8,), True, Meaning.INSPECT),
        ((0, 0xFFFFFFFF, 0, 0, 0, 1), True, Meaning.RESET),  # registers that say nothing
        ((1 << 31,), True, Meaning.RESET),  # a bit nobody lists
        ((), True, Meaning.RESET),
    ],
)
def test_registers_of_74(words: tuple[int, ...], alone: bool, meaning: Meaning) -> None:
    assert nvlink4.decode(fault(74, words=words), alone=alone) is meaning
