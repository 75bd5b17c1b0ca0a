"""`stokerctl simulate`: what it prints, and with which code it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.simulate import ACTED, NOTHING, UNREADABLE, WIDTH, main, render
from agent.xid.replay import Act, Setting, Step, simulate
from tests.corpus import FOLDER

X = "NVRM: Xid (PCI:0000:3b:00): "
STORY = f"""\
[    0.000000] Linux version 6.12
[    9.000000] NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  570.86.10  Release Build
[  100.000000] {X}48, pid='<unknown>', name=<unknown>, An uncorrectable double bit error (DBE) has
[  100.020000] {X}63, pid='<unknown>', name=<unknown>, Row Remapper: New row marked for remapping
[  200.000000] stoker: gpu 0000:3b:00.0 reset done
[  300.000000] {X}31, pid=17, name=python3, Ch 00000007
[  400.000000] {X}125, InfoROM
[  500.000000] {X}79, GPU has fallen off the bus.
[    0.000000] Linux version 6.12
"""


def acts(steps: list[Step]) -> list[tuple[str, int, float]]:
    return [(step.act.value, step.line, step.at) for step in steps]


def test_a_story() -> None:
    steps = simulate(STORY.splitlines(), Setting(engine_pids=frozenset({4242})))
    assert acts(steps) == [
        ("drain", 3, 100.0),
        ("remedy", 3, 105.0),
        ("clear", 5, 200.0),
        ("note", 7, 405.0),
        ("drain", 8, 500.0),
        ("remedy", 8, 505.0),
        ("clear", 9, 0.0),  # a new boot, whose clock begins anew
    ]


def test_the_same_from_bytes_and_with_noise_between() -> None:
    noisy = STORY.replace("\n", "\n[  150.000000] noise \\xff\n").encode()
    steps = simulate(noisy.split(b"\n"), Setting(engine_pids=frozenset({4242})))
    plain = simulate(STORY.splitlines(), Setting(engine_pids=frozenset({4242})))
    assert [(step.act, step.at) for step in steps] == [(step.act, step.at) for step in plain]


def test_the_log_itself_tells_the_drivers_branch() -> None:
    """This word is in the layout before branch 575; without the unit's name only that reads it."""
    line = f"[ 10.0] {X}149, X Nonfatal XC0 i0 Link 08 (0x010001c6 0x00000000)"
    loaded = "[ 9.0] NVRM: loading NVIDIA UNIX x86_64 Kernel Module  570.86.10  Tue Apr 8"
    assert [step.act for step in simulate([loaded, line])] == [Act.DRAIN, Act.REMEDY]
    newer = loaded.replace("570", "595")
    assert [step.act for step in simulate([newer, line])] == [Act.NOTE]


def test_a_fault_taken_back_lets_the_gpu_serve_again() -> None:
    change = "GPU recovery action changed from"
    steps = simulate(
        [
            f"[ 1.0] {X}109, pid=5, name=x, Ch 8",
            f"[ 1.1] {X}154, {change} 0x0 (None) to 0x1 (GPU Reset Required)",
            f"[ 90.0] {X}154, {change} 0x1 (GPU Reset Required) to 0x0 (None)",
        ]
    )
    assert [step.act for step in steps] == [Act.DRAIN, Act.REMEDY, Act.CLEAR]


def test_text_for_people_is_narrow(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "dmesg").write_text(STORY, "utf-8")
    assert main(str(tmp_path / "dmesg"), as_json=False) == ACTED
    printed = capsys.readouterr().out
    assert "would have drained GPU 00000000:3b:00" in printed
    assert "would then have reset the GPU" in printed
    assert "would then have rebooted the host" in printed
    assert max(map(len, printed.splitlines())) <= WIDTH


def test_json_is_the_steps(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "dmesg").write_text(STORY, "utf-8")
    assert main(str(tmp_path / "dmesg"), as_json=True) == ACTED
    steps = json.loads(capsys.readouterr().out)
    assert steps[1]["verdict"]["remedy"] == "reset"
    assert steps[1]["verdict"]["later"] == "none"


def test_nothing_to_do(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "dmesg").write_bytes(b"[ 1.0] all is well\n\xff\xfe\x00\n")
    assert main(str(tmp_path / "dmesg"), as_json=False) == NOTHING
    assert capsys.readouterr().out == "nothing would have been done\n"
    assert render([]) == "nothing would have been done"


def test_what_cannot_be_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(str(tmp_path / "none"), as_json=False) == UNREADABLE
    assert "No such file or directory" in capsys.readouterr().err
    assert main(str(tmp_path), as_json=False) == UNREADABLE
    assert "no trace in any *.txt" in capsys.readouterr().err


def test_a_corpus_is_scored(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(str(FOLDER / "fatal"), as_json=False) == NOTHING
    assert "precision 1.0000, recall 1.0000" in capsys.readouterr().out
    assert main(str(FOLDER / "benign"), as_json=True) == NOTHING
    assert json.loads(capsys.readouterr().out)["precision"] == 1.0
