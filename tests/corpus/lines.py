"""Messages as the driver writes them."""

from __future__ import annotations

BUS = "0000:3b:00"
PEER = "0000:5e:00"
ENGINE = 4242

# Tails that drivers have been seen to write, for the numbers that have one of their own.
_TAILS = {
    13: "Graphics SM Warp Exception on (GPC 1, TPC 2, SM 0): Out Of Range Address",
    31: "Ch 00000007, intr 00000000. MMU Fault: ENGINE GRAPHICS GPCCLIENT_T1_6 faulted @ "
    "0x7f5a_e7504000. Fault is of type FAULT_PDE ACCESS_TYPE_VIRT_READ",
    43: "channel 0x00000010",
    45: "Ch 00000008",
    48: "An uncorrectable double bit error (DBE) has been detected on GPU in the framebuffer at "
    "physAddr 0x18f31d80 partition 16, subpartition 3.",
    62: "32260b5e 000154b0 00000000 2026da96 202b5626 202b5832 202b5872 202b58be",
    63: "Row Remapper: New row (0x0000000018f31d80) marked for remapping, reset gpu to activate.",
    64: "Row Remapper: Error recording event.",
    79: "GPU has fallen off the bus.",
    94: "Contained: CE User Channel (0x9). RST: No, D-RST: No",
    95: "Uncontained: LTC TAG (0x2,0x0). RST: Yes, D-RST: No",
    109: "Ch 00000008, errorString CTX SWITCH TIMEOUT, Info 0x58005",
    119: "Timeout after 45s of waiting for RPC response from GPU0 GSP! Expected function 76 "
    "(GSP_RM_CONTROL) (0x20809004 0x608).",
    120: "GSP task exception: Unhandled (0x2) @ pc:0x1b4a6c4, partition:4#0, task:3",
}


def xid(
    number: int, tail: str = "", *, pid: int | None = None, bus: str = BUS, style: int = 0
) -> str:
    """Return the line for a number; `style` picks among the heads of different drivers."""
    tail = tail or _TAILS.get(number, "Ch 00000008")
    who = "pid='<unknown>', name=<unknown>, " if pid is None else f"pid={pid}, name=python3, "
    if pid is not None and style == 1:
        who = f"pid='{pid}', name=python3, "
    if pid is None and style == 2:
        who = ""
    place = {0: f"PCI:{bus}", 1: f"PCI:0000{bus}.0", 2: bus}[style]
    return f"NVRM: Xid ({place}): {number}, {who}{tail}"


def changed(former: str, action: str, bus: str = BUS) -> str:
    return xid(154, f"GPU recovery action changed from {former} to {action}", bus=bus, style=2)


def nvlink5(row: dict[str, str], *, old: bool) -> str:
    """Return the line for a decode rule, in the layout before driver branch 575 or since."""
    word = "Nonfatal" if row["severity"].startswith("Non") else "Fatal"
    unit = row["unit"].split("/")[0]
    intrinfo = row["v1_value" if old else "v2_value"]
    rest = " ".join(["0x00000000"] * 4)
    tail = f"{unit} {word} XC0 i0 Link 08 ({intrinfo} {row['error_status']} {rest})"
    return f"NVRM: Xid (PCI:{BUS}): {row['xid']}, {tail}"
