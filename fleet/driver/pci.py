"""NVIDIA's GPUs by PCI device id, and what each generation of them can be driven by.

Modules: NVIDIA's driver installation guide ("Open GPU Kernel Modules", "Proprietary …").
"""

from functools import cache
from typing import Literal

from agent.model import Value
from fleet.driver.tables import table

Flavour = Literal["open", "proprietary"]
FLAVOURS: tuple[Flavour, ...] = ("open", "proprietary")  # of the kernel module, the better first
OLDEST = 0x1340  # of a Maxwell: what lies below, 580 does not drive


class Generation(Value, frozen=True, kw_only=True):
    """A generation of GPUs: the module flavours that drive it, the better first; its last branch.

    `last` 0 = there is no last branch yet.
    """

    name: str
    flavours: tuple[Flavour, ...]
    last: int = 0


GENERATIONS = {
    one.name: one
    for one in (
        Generation(name="kepler", flavours=("proprietary",), last=470),
        Generation(name="maxwell", flavours=("proprietary",), last=580),
        Generation(name="pascal", flavours=("proprietary",), last=580),
        Generation(name="volta", flavours=("proprietary",), last=580),
        Generation(name="turing", flavours=FLAVOURS),
        Generation(name="ampere", flavours=FLAVOURS),
        Generation(name="ada", flavours=FLAVOURS),
        Generation(name="hopper", flavours=FLAVOURS),
        Generation(name="grace-hopper", flavours=("open",)),
        Generation(name="blackwell", flavours=("open",)),
        Generation(name="grace-blackwell", flavours=("open",)),
        # Newer than the table: since Blackwell there are open modules only.
        Generation(name="unknown", flavours=("open",)),
    )
}


class Gpu(Value, frozen=True, kw_only=True):
    """A GPU as its device id tells it. `mig` None = not known; `least` 0 = any branch of ours.

    `listed` = by its own id, not by the range that it lies in. `card` = the planner's name of it.
    """

    device: str
    name: str
    generation: Generation
    form: str = ""
    mig: bool | None = None
    least: int = 0
    listed: bool = True
    card: str = ""


def gpu(device: str) -> Gpu:
    """Return what is known of a GPU by its device id, four hex digits such as "2330"."""
    listed, ranges = _tables()
    if device in listed:
        return listed[device]
    number = int(device, 16)
    for first, last, known in ranges:
        if first <= number <= last:
            named = f"{known.name} (10de:{device})"
            return Gpu(
                device=device, name=named, generation=known.generation, form=known.form,
                mig=known.mig, least=known.least, listed=False,
            )  # fmt: skip
    old = number < OLDEST
    name = f"a GPU older than Maxwell (10de:{device})" if old else f"an unknown GPU (10de:{device})"
    generation = GENERATIONS["kepler" if old else "unknown"]
    return Gpu(
        device=device, name=name, generation=generation, mig=False if old else None, listed=False
    )


@cache
def switches() -> frozenset[str]:
    """Return the device ids of NVSwitches that stand on the PCI bus by themselves."""
    return frozenset(row["id"] for row in table("pci.tsv") if row["generation"] == "nvswitch")


@cache
def _tables() -> tuple[dict[str, Gpu], list[tuple[int, int, Gpu]]]:
    listed: dict[str, Gpu] = {}
    ranges: list[tuple[int, int, Gpu]] = []
    for row in table("pci.tsv"):
        if row["generation"] == "nvswitch":
            continue
        made = Gpu(
            device=row["id"],
            name=row["name"],
            generation=GENERATIONS[row["generation"]],
            form=row["form"],
            mig={"yes": True, "no": False}.get(row["mig"]),
            least=int(row["least"] or 0),
            card=row["card"],
        )
        first, _, last = row["id"].partition("-")
        if last:
            ranges.append((int(first, 16), int(last, 16), made))
        else:
            listed[first] = made
    return listed, ranges
