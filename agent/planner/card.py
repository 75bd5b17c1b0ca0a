"""GPU models: what the driver reports, and what a process that has just started finds free.

`memory` is `cudaMemGetInfo`'s total, not the number on the box: an H100 "80 GB" has 79.19 GiB. Read
off start-up logs of vLLM and SGLang, and nvidia-smi's MiB less what the driver keeps.
"""

from agent.errors import SpecError
from agent.model import Value
from agent.planner.units import GIB


class Card(Value, frozen=True, kw_only=True):
    """One GPU. `memory` in bytes as CUDA reports it; `capability` as major × 10 + minor."""

    name: str
    memory: int
    capability: int
    nvlink: bool
    form: str  # SXM, PCIe, NVL, ...


def _card(name: str, gib: float, capability: int, form: str) -> Card:
    linked = form in {"SXM", "NVL", "HGX"}
    return Card(name=name, memory=int(gib * GIB), capability=capability, nvlink=linked, form=form)


CARDS: dict[str, Card] = {
    card.name: card
    for card in (
        _card("H100-SXM", 79.19, 90, "SXM"),
        _card("H100-PCIe", 79.19, 90, "PCIe"),
        _card("H100-NVL", 93.11, 90, "NVL"),
        _card("H200", 139.80, 90, "SXM"),
        _card("H200-NVL", 139.80, 90, "NVL"),
        _card("H20", 95.08, 90, "SXM"),
        _card("H20-141", 139.72, 90, "SXM"),
        _card("B200", 178.36, 100, "SXM"),
        _card("A100-40-SXM", 39.39, 80, "SXM"),
        _card("A100-40-PCIe", 39.39, 80, "PCIe"),
        _card("A100-80-SXM", 79.25, 80, "SXM"),
        _card("A100-80-PCIe", 79.25, 80, "PCIe"),
        _card("L4", 22.03, 89, "PCIe"),
        _card("L40S", 44.42, 89, "PCIe"),
        _card("A10", 22.06, 86, "PCIe"),
        _card("A6000", 47.41, 86, "PCIe"),
        _card("RTX-3090", 23.57, 86, "PCIe"),
        _card("RTX-4090", 23.53, 89, "PCIe"),
        _card("RTX-5090", 31.36, 120, "PCIe"),
        _card("RTX-PRO-6000", 94.97, 120, "PCIe"),
        _card("T4", 14.58, 75, "PCIe"),
    )
}

# What nvidia-smi and NVML call them, most specific first.
_NVML = (
    ("H100 NVL", "H100-NVL"),
    ("H100 PCIe", "H100-PCIe"),
    ("H100", "H100-SXM"),
    ("H200 NVL", "H200-NVL"),
    ("H200", "H200"),
    ("H20-3e", "H20-141"),
    ("H20", "H20"),
    ("B200", "B200"),
    ("A100-SXM4-40GB", "A100-40-SXM"),
    ("A100-PCIE-40GB", "A100-40-PCIe"),
    ("A100-SXM4-80GB", "A100-80-SXM"),
    ("A100 80GB PCIe", "A100-80-PCIe"),
    ("L40S", "L40S"),
    ("L4", "L4"),
    ("A10", "A10"),
    ("RTX A6000", "A6000"),
    ("RTX 3090", "RTX-3090"),
    ("RTX 4090", "RTX-4090"),
    ("RTX 5090", "RTX-5090"),
    ("RTX PRO 6000", "RTX-PRO-6000"),
    ("T4", "T4"),
)


def declared(name: str) -> Card:
    """Return the card an inventory names; raise `SpecError` that lists the names there are."""
    if name in CARDS:
        return CARDS[name]
    raise SpecError(f"GPU type {name!r} is not known; known are {', '.join(CARDS)}")


def reported(name: str, memory: int, capability: int) -> Card:
    """Return the card that NVML reports by product name; its own `memory` (bytes) counts.

    NVML's total contains what the driver keeps (0.8 % on an H100): of a known card CUDA's is used
    where NVML's is not smaller (MIG slices and virtual GPUs are).
    """
    known = next((CARDS[key] for mark, key in _NVML if mark in name), None)
    if known is not None and memory >= known.memory:
        return known
    usable = int(memory * 0.99)
    form, nvlink = (known.form, known.nvlink) if known else ("unknown", False)
    return Card(name=name, memory=usable, capability=capability, nvlink=nvlink, form=form)
