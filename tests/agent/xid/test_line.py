"""What the parser reads out of each kind of message."""

from __future__ import annotations

from typing import Any

import pytest

from agent.xid import bus
from agent.xid.fault import Action, Kind, Source, from_event
from agent.xid.line import parse, reset_done, worth

X = "NVRM: Xid (PCI:0000:3b:00): "
GPU = "00000000:3b:00"

TABLE: list[tuple[str, dict[str, Any]]] = [
    (f"{X}31, pid=12, name=python3, Ch 7", {"xid": 31, "pid": 12, "process": "python3"}),
    (f"{X}31, pid='12', name=python3, Ch 7", {"pid": 12}),
    (f"{X}31, pid='<unknown>', name=<unknown>, Ch 7", {"pid": None, "process": ""}),
    (f"{X}31, pid=<unknown>, name=<unknown>, Ch 7", {"pid": None, "process": ""}),
    (f"{X}31, pid=0, name=x, Ch 7", {"pid": None}),
    (f"{X}79", {"xid": 79, "pid": None}),
    (f"{X}79, GPU has fallen off the bus.", {"xid": 79, "pid": None}),
    (f"{X}43, pid=9, name=VLLM::Worker_TP0, Ch 1", {"process": "VLLM::Worker_TP0"}),
    ("NVRM: Xid (0000:3b:00): 14, Channel 00000001", {"xid": 14, "gpu": GPU}),
    ("NVRM: Xid (PCI:0000:3b:00.0): 79, x", {"gpu": GPU}),
    ("NVRM: Xid (PCI:3B:00): 79, x", {"gpu": GPU}),
    ("NVRM: Xid (PCI:10000:3b:00): 79, x", {"gpu": "00010000:3b:00"}),
    ("NVRM: Xid (PCI:0000:3b:00 GPU-I:05): 94, pid=7, C", {"partition": 5, "compute": None}),
    ("NVRM: Xid (PCI:0000:3b:00 GPU-I:05 GPU-CI:02): 13, x", {"partition": 5, "compute": 2}),
    (f"{X}13, Graphics SM Warp Exception on (GPC 7, TPC 4, SM 0): x", {"place": (7, 4)}),
    (f"{X}13, Graphics Exception: ESR 0x57c730=0xc04000b", {"place": None}),
    (f"{X}45, pid=1, name=x, Ch 1 caused by previous Xid 149", {"cause": 149}),
    (f"{X}45, pid=1, name=x, Ch 1", {"cause": None}),
    (f"{X}95, pid=7, Uncontained: LTC. RST: Yes, D-RST: No", {"resets": (True, False)}),
    (
        f"{X}74, pid='<unknown>', NVLink: fatal error detected on link 14(0x0, 0x0, 0x10000, 0x0)",
        {"link": 14, "words": (0, 0, 0x10000, 0)},
    ),
    (
        f"{X}149, NETIR_LINK_EVT  Fatal   XC0 i0 Link 08 (0x004505c6 0x00000000 0x0)",
        {"unit": "NETIR_LINK_EVT", "fatal": True, "link": 8, "words": (0x4505C6, 0, 0)},
    ),
    (
        f"{X}145, pid=4, name=<unknown>, RLW_SRC_TRACK Nonfatal XC1 i0 Link -1 (0x1 0x2)",
        {"unit": "RLW_SRC_TRACK", "fatal": False, "link": -1, "words": (1, 2)},
    ),
    (f"{X}149, NETIR_LINK_EVT Fatal XC 1 i 2 Link 01 [0x0000000a]", {"words": (10,), "link": 1}),
    (f"{X}145, something new, Non-fatal", {"fatal": False, "words": ()}),
    (
        f"{X}154, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)",
        {"former": Action.NONE, "action": Action.GPU_RESET},
    ),
    (f"{X}154, GPU recovery action changed from 0x2 (OS Reboot) to 0x0 (None)", {"action": 0}),
    (f"{X}154, changed from None to Drain and Reset", {"action": Action.DRAIN_AND_RESET}),
    (f"{X}154, changed from 0x0 (None) to 0x6 (Some New Name)", {"action": Action.BUS_RESET}),
    (f"{X}154, changed from 0x0 (None) to 0x99 (Some New Name)", {"action": None}),
    ("NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.", {"xid": 79, "gpu": GPU}),
    ("NVRM: GPU at PCI:0000:3b:00.0 has fallen off the bus.", {"xid": 79, "gpu": GPU}),
    ("NVRM: GPU 0000:3b:00.0000: Has fallen off the bus", {"xid": 79, "gpu": GPU}),
    (
        "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 24007, Fatal, Link 30 sourcetrack",
        {"xid": 24007, "kind": Kind.SXID, "fatal": True, "link": 30, "gpu": "00000000:c1:00"},
    ),
    (
        "nvidia-nvswitch1 SXid (PCI:0000:06:00.0): 20009, Non-fatal, Link 04",
        {"xid": 20009, "kind": Kind.SXID, "fatal": False, "link": 4},
    ),
    (
        "nvidia-nvswitch1: SXid (PCI:0000:06:00.0): 20009, Severity 0 Engine instance 4",
        {"kind": Kind.SXID, "fatal": None},
    ),
    ("stoker: gpu 0000:3b:00.0 reset done", {"kind": Kind.RESET, "gpu": GPU}),
    ("GPU reset executed: GPU-12-ab", {"kind": Kind.RESET, "uuid": "GPU-12-ab", "gpu": ""}),
    ("GPU reset executed: GPU-12-ab, success: true", {"kind": Kind.RESET, "uuid": "GPU-12-ab"}),
]


@pytest.mark.parametrize(("text", "fields"), TABLE)
def test_messages(text: str, fields: dict[str, Any]) -> None:
    fault = parse(text)
    assert fault is not None
    assert {name: getattr(fault, name) for name in fields} == fields
    assert worth(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "NVRM: Xid (PCI:0000:3b:00): abc, pid=1",
        "NVRM: Xid (PCI:0000:3b:00)",
        "NVRM: Xid : 79, pid=1",
        "NVRM: Xid (PCI:zz:00:00): 79, x",
        "NVRM: Xid (PCI:0000:3b:00): 0, x",
        "NVRM: GPU at PCI:0000:3b:00: GPU-f1648d72-c7c8-9814-2832-7a062b009188",
        "a log line with NVRM: Xid (PCI:0000:3b:00): 79, x",
        "GPU reset executed: GPU-12-ab, success: false",
        "GPU reset executed:",
        "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): garbled, Fatal",
        "mlx5_core 0000:17:00.0: device has fallen off the bus",
    ],
)
def test_what_is_no_fault(text: str) -> None:
    assert parse(text) is None


def test_both_sources_spell_a_gpu_alike() -> None:
    assert bus.normal("00000000:3B:00.0") == bus.normal("0000:3b:00") == GPU  # NVML, kernel
    assert bus.normal("3b:00.0") == GPU
    assert [bus.normal(text) for text in ("", "3b", "0000:3b:00:00", "GPU-12")] == [""] * 4


def test_an_event_is_a_number_without_a_text() -> None:
    told = from_event("00000000:3B:00.0", 31, 5.0, "b", partition=3)
    assert (told.gpu, told.source, told.partition, told.compute) == (GPU, Source.DRIVER, 3, None)


def test_our_own_mark_is_read_back() -> None:
    fault = parse(reset_done("00000000:3B:00.0"))
    assert fault is not None
    assert (fault.kind, fault.gpu) == (Kind.RESET, GPU)


def test_a_uuid_finds_its_place() -> None:
    fault = parse("GPU reset executed: GPU-12-ab")
    assert fault is not None
    assert fault.placed({"GPU-12-ab": "00000000:3B:00.0"}).gpu == GPU
    assert not fault.placed({}).gpu
