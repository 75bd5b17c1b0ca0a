"""No false drain on the benign corpus, no missed fatal over the tables, in three forms of line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agent.errors import SpecError
from agent.model import Remedy
from agent.xid import truth
from tests.corpus import FOLDER, labels, make

BENIGN = truth.traces(FOLDER / "benign")
FATAL = truth.traces(FOLDER / "fatal")
NVLINK5 = truth.traces(FOLDER / "nvlink5")


def test_it_is_large_enough() -> None:
    assert len(BENIGN) >= 300
    assert all(trace.expect is Remedy.NONE for trace in BENIGN)
    assert all(trace.expect is not Remedy.NONE for trace in FATAL)
    assert len(NVLINK5) == 94 * 3 * 2  # forms, layouts
    names = Counter(trace.name for trace in [*BENIGN, *FATAL, *NVLINK5])
    assert max(names.values()) == 1


def test_every_fatal_row_is_there_in_three_forms() -> None:
    rows = {row["xid"]: labels.expected(row) for row in labels.catalogue()}
    fatal = {xid for xid, right in rows.items() if right != "none"} - set(map(str, labels.BY_TEXT))
    assert len(fatal) > 70
    heads = [trace.name.removeprefix("catalogue/").split("-") for trace in FATAL]
    for form in ("kmsg", "dmesg", "journal"):
        assert fatal <= {head[0] for head in heads if head[-1] == form}


@pytest.mark.parametrize("known", [BENIGN, FATAL, NVLINK5], ids=["benign", "fatal", "nvlink5"])
def test_nothing_is_wrong(known: list[truth.Trace]) -> None:
    found = truth.score(known)
    assert found.false_drains == ()
    assert found.missed == ()
    assert found.wrong_remedy == ()
    assert (found.precision, found.recall) == (1.0, 1.0)


def test_the_files_are_what_the_script_makes() -> None:
    made = make.files()
    for path, text in made.items():
        assert (FOLDER / path).read_text("utf-8") == text, path
    assert {path.relative_to(FOLDER) for path in FOLDER.rglob("*.txt")} == set(made)


def _trace(folder: Path, text: str) -> truth.Score:
    (folder / "one.txt").write_text(text, "utf-8")
    return truth.score(truth.traces(folder))


def test_a_wrong_outcome_is_seen(tmp_path: Path) -> None:
    line = "[ 1.000000] NVRM: Xid (PCI:0000:3b:00): 79, x\n"
    assert _trace(tmp_path, f"#! a\n# expect: none\n{line}").false_drains == ("one/a",)
    assert _trace(tmp_path, "#! a\n# expect: reboot\n[ 1.0] x\n").missed == ("one/a",)
    assert _trace(tmp_path, f"#! a\n# expect: reset\n{line}").wrong_remedy == (
        "one/a: reboot, not reset",
    )


@pytest.mark.parametrize(
    "text",
    ["", "#! a\n[ 1.0] x\n", "#! a\n# expect: nonsense\n", "#! a\n# expect: none\n# pids: x"],
)
def test_a_trace_that_says_nothing_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError):
        _trace(tmp_path, text)
