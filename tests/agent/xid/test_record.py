"""Every shape of a kernel log line gives the same text, and garbage never raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.xid.line import parse, read
from agent.xid.record import join, record

TEXT = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1, GPU has fallen off the bus."

FORMS = [
    (f"4,1234,98765432,-;{TEXT}", 98.765432, 1234),
    (f"3,7,1000000,c,caller=T99;{TEXT}\n SUBSYSTEM=pci\n DEVICE=+pci:0000:3b:00.0", 1.0, 7),
    (f"[   12.500000] {TEXT}", 12.5, None),
    (f"<3>[   12.500000] {TEXT}", 12.5, None),
    (f"[   12.500000][  T421] {TEXT}", 12.5, None),
    (f"kern  :err   : [   12.500000] {TEXT}", 12.5, None),
    (f"[Fri Aug 30 11:43:14 2024] {TEXT}", 1725018194.0, None),
    (f"2024-08-30T11:43:14,000000+00:00 {TEXT}", 1725018194.0, None),
    (f"2024-08-30T11:43:14+0000 gpu-1 kernel: {TEXT}", 1725018194.0, None),
    (f"Aug 30 11:43:14 gpu-1 kernel: {TEXT}", None, None),
    (f"Aug 30 11:43:14 gpu-1 kernel: [   12.500000] {TEXT}", None, None),
    (f"kernel: [   12.500000] {TEXT}", 12.5, None),
    (TEXT, None, None),
]


@pytest.mark.parametrize(("line", "at", "seq"), FORMS)
def test_forms(line: str, at: float | None, seq: int | None) -> None:
    told = record(line)
    assert told is not None
    assert (told.text, told.seq, told.speaker) == (TEXT, seq, "kernel")
    if at is not None:
        assert told.at == pytest.approx(at)
    assert record(line.encode()) == told


@pytest.mark.parametrize("line", ["", "\n", " SUBSYSTEM=pci", "   \x00"])
def test_what_is_no_record(line: str) -> None:
    assert record(line) is None


@pytest.mark.parametrize(
    "line",
    [
        f"12,9,1000,-;{TEXT}",  # facility user: written to /dev/kmsg by a program
        f"30,9,1000,-;systemd[1]: {TEXT}",
        f"Aug 30 11:43:14 gpu-1 python3[12]: {TEXT}",
        f"2024-08-30T11:43:14+0000 gpu-1 vllm[12]: {TEXT}",
        f"[   12.500000] python3[12]: {TEXT}",
        f"[   12.500000] he said: {TEXT}",
    ],
)
def test_a_program_is_not_the_driver(line: str) -> None:
    assert read(line) is None


def test_injection_must_be_asked_for() -> None:
    injected = read(f"12,9,1000,-;{TEXT}", injected=True)
    assert injected is not None
    assert injected.xid == 79


def test_a_message_of_three_lines_is_one() -> None:
    held, found = "", []
    for text in (
        "NVRM: The NVIDIA GPU 0000:b3:00.0",
        "NVRM: (PCI ID: 10de:2330) installed in this system has",
        "NVRM: fallen off the bus and is not responding to commands.",
        "NVRM: None of the NVIDIA devices were initialized.",
    ):
        held, whole = join(held, text)
        found.append(parse(whole))
    assert [fault and (fault.gpu, fault.xid) for fault in found] == [
        None,
        None,
        ("00000000:b3:00", 79),
        None,
    ]


def test_a_fault_in_between_is_not_swallowed() -> None:
    held, _ = join("", "NVRM: The NVIDIA GPU 0000:b3:00.0")
    held, whole = join(held, TEXT)
    assert (held, whole) == ("", TEXT)


def test_kmsg_escapes_are_undone() -> None:
    fault = read(
        "3,1,1,-;NVRM: The NVIDIA GPU 0000:b3:00.0\\x0aNVRM: installed in this system has"
        "\\x0aNVRM: fallen off the bus and is not responding to commands."
    )
    assert fault is not None
    assert (fault.gpu, fault.xid) == ("00000000:b3:00", 79)


@given(st.binary(max_size=200), st.sampled_from([b"", b"NVRM: Xid (PCI:", b"4,1,1,-;NVRM: GPU "]))
def test_garbage_never_raises(tail: bytes, head: bytes) -> None:
    read(head + tail)
    read((head + tail).decode("utf-8", "replace"))
