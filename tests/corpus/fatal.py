"""Traces that must take a GPU out of service, with the remedy; and their harmless kin."""

from __future__ import annotations

from collections.abc import Iterator

from tests.corpus import labels
from tests.corpus.forms import Said, Sample
from tests.corpus.lines import BUS, ENGINE, PEER, changed, nvlink5, xid

PIDS = {"pids": str(ENGINE)}
A100 = {"product": "NVIDIA A100-SXM4-80GB"}
NONE, RESET, REBOOT = "0x0 (None)", "0x1 (GPU Reset Required)", "0x2 (Node Reboot Required)"
DAY = 24 * 3600.0


def catalogue() -> Iterator[Sample]:
    """Every row whose label is a remedy, in the three heads that drivers write."""
    for row in labels.catalogue():
        number, right = int(row["xid"]), labels.expected(row)
        if number in labels.BY_TEXT or right == "none":
            continue
        pid = ENGINE if right == "restart" else None
        for style in (0, 1, 2):
            said = [Said(1.0, xid(number, pid=pid, style=style))]
            yield Sample(f"{number}-head{style}", right, said, PIDS if pid else {})


def link5() -> Iterator[Sample]:
    """All rules of the decode table, fatal and not, in both layouts."""
    for at, row in enumerate(labels.nvlink5()):
        for branch in (570, 595):
            said = [Said(1.0, nvlink5(row, old=branch < 575))]
            name = f"{row['xid']}-rule{at:02}-r{branch}"
            yield Sample(name, labels.resolved(row), said, {"branch": str(branch)})


def together() -> Iterator[Sample]:
    """Faults that come in company, and those that only a text or the past can tell."""
    for name, right, texts, keys in _COMPANY:
        yield Sample(name, right, [Said(1 + n / 50, text) for n, text in enumerate(texts)], keys)
    for name, right, gap, text, keys in _AGAIN:
        times = 5 if name.startswith("five") else 2
        said = [Said(1 + n * gap, text) for n in range(times)]
        if name.startswith("five"):
            said = [one for at in said for one in (at, Said(at.at + 90, RESET_DONE))]
        yield Sample(name, right, said, keys)


RESET_DONE = f"stoker: gpu {BUS}.0 reset done"
LOST = (
    f"NVRM: The NVIDIA GPU {BUS}.0\nNVRM: (PCI ID: 10de:2330) installed in this system has\n"
    "NVRM: fallen off the bus and is not responding to commands."
)
CONTAINED = xid(94, pid=ENGINE)
REGISTERS = "NVLink: fatal error detected on link 14"
_COMPANY: list[tuple[str, str, list[str], dict[str, str]]] = [
    ("48-63", "reset", [xid(48), xid(63)], {}),
    ("63-48", "reset", [xid(63), xid(48)], {}),
    ("48-64", "reset", [xid(48), xid(64)], {}),
    ("48-95", "reset", [xid(48), xid(95)], {}),
    ("48-95-a100", "reboot", [xid(48), xid(95)], A100),
    ("48-172", "reset", [xid(48), xid(172)], {}),
    ("48-171-63", "reset", [xid(48), xid(171), xid(63)], {}),
    ("48-94", "restart", [xid(48), CONTAINED], PIDS),
    ("48-63-94", "restart", [xid(48), xid(63), CONTAINED], PIDS),
    ("48-45", "reset", [xid(48), xid(45, pid=ENGINE)], PIDS),
    ("95-a100-mig", "reset", [xid(95)], {**A100, "mig": "on"}),
    ("95-a100", "reboot", [xid(95)], A100),
    ("lost-line", "reboot", [f"NVRM: GPU {BUS}.0: GPU has fallen off the bus."], {}),
    ("lost-at", "reboot", [f"NVRM: GPU at PCI:{BUS} has fallen off the bus."], {}),
    ("lost-three-lines", "reboot", [LOST], {}),
    ("lost-both", "reboot", [xid(79), f"NVRM: GPU {BUS}.0: GPU has fallen off the bus."], {}),
    ("79-154", "reboot", [xid(79), changed(NONE, REBOOT)], {}),
    ("79-154-os", "reboot", [xid(79), changed(NONE, "0x2 (OS Reboot)")], {}),
    ("119-154", "reset", [xid(119), changed(NONE, RESET)], {}),
    ("109-154", "reset", [xid(109, pid=ENGINE), changed(NONE, RESET)], PIDS),
    ("43-154", "reset", [xid(43, pid=17), changed(NONE, RESET)], PIDS),
    ("154-reset", "reset", [changed(NONE, RESET)], {}),
    ("154-flr", "reset", [changed(NONE, "0x1 (PF FLR)")], {}),
    ("154-reboot", "reboot", [changed(NONE, REBOOT)], {}),
    ("154-drain-p2p", "drain", [changed(NONE, "0x3 (Drain P2P)")], {}),
    ("154-drain-reset", "reset", [changed(NONE, "0x4 (Drain and Reset)")], {}),
    ("154-system", "reboot", [changed(NONE, "0x7 (System Reboot)")], {}),
    ("154-new-name", "reset", [changed(NONE, "0x1 (Mend It Somehow)")], {}),
    ("154-unreadable", "reset", [xid(154, "GPU recovery action changed")], {}),
    ("74-ecc", "reset", [xid(74, f"{REGISTERS}(0x10, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0)")], {}),
    (
        "74-unlisted",
        "reset",
        [xid(74, f"{REGISTERS}(0x0, 0x0, 0x80000000, 0x0, 0x0, 0x0, 0x0)")],
        {},
    ),
    ("74-bare", "reset", [xid(74, "NVLink: fatal error detected on link 6")], {}),
    (
        "74-inspect",
        "quarantine",
        [xid(74, f"{REGISTERS}(0x100, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0)")],
        {},
    ),
    ("149-no-rule", "reset", [xid(149, "NETIR_NEW Fatal XC0 i0 Link 01 (0x1 0x77)", style=2)], {}),
    ("31-mig", "restart", [xid(31, pid=ENGINE).replace("3b:00", "3b:00 GPU-I:05 GPU-CI:01")], PIDS),
    (
        "sxid-fatal",
        "reset",
        ["nvidia-nvswitch0: SXid (PCI:0000:c3:00.0): 24007, Fatal, Link 30 sourcetrack timeout"],
        {"nvswitch": "yes"},
    ),
    (
        "45-caused",
        "reset",
        [xid(149, "X Fatal XC0 i0 Link 01 (0x1 0x77)"), xid(45, "caused by previous Xid 149")],
        {},
    ),
    ("two-gpus", "reboot", [xid(79), xid(79, bus=PEER)], {}),
    ("behind-noise", "reboot", [*["audit: type=1400 apparmor=ALLOWED"] * 200, xid(79)], {}),
]
_AGAIN: list[tuple[str, str, float, str, dict[str, str]]] = [
    ("31-twice", "quarantine", 3600.0, xid(31, pid=ENGINE), PIDS),
    ("13-twice", "quarantine", 3600.0, xid(13, pid=ENGINE), PIDS),
    ("32-twice", "quarantine", 3600.0, xid(32, pid=ENGINE), PIDS),
    ("64-twice", "quarantine", 3600.0, xid(64), {}),
    ("79-twice", "quarantine", 3 * DAY, xid(79), {}),
    ("46-twice", "quarantine", 3 * DAY, xid(46), {}),
    ("94-twice", "reset", 3600.0, CONTAINED, PIDS),
    ("45-twice", "restart", 3600.0, xid(45, pid=ENGINE), PIDS),
    ("31-burst", "restart", 100.0, xid(31, pid=ENGINE), PIDS),
    ("13-burst", "restart", 10.0, xid(13, pid=ENGINE), PIDS),
    ("31-next-day", "restart", DAY + 600, xid(31, pid=ENGINE), PIDS),
    ("five-48", "quarantine", 3600.0, xid(48), {}),
]
