"""All that a judgement may look at beside the fault itself. None = not known."""

from collections.abc import Mapping

from agent.model import Remedy, Value
from agent.xid.fault import Action, KernelFault

DAY = 24 * 3600.0
WEEK = 7 * DAY


class Product(Value, frozen=True, kw_only=True):
    """What the board is and can. The defaults are those of a data-centre board since Ampere."""

    name: str = ""  # as NVML spells it: NVIDIA H100 80GB HBM3
    row_remap: bool = True  # Ampere and later; before, pages were retired
    mig: bool = False  # MIG is on
    nvswitch: bool = False  # the GPUs need a Fabric Manager


class Past(Value, frozen=True, kw_only=True):
    """An earlier fault, as the repeat rules need it.

    `ours`: it hit an engine's process. `harmless`: judged to be none of the GPU's.
    """

    gpu: str
    xid: int
    at: float
    ours: bool | None = None
    fatal: bool = False  # it took the GPU out of service
    harmless: bool = False
    place: tuple[int, int] | None = None
    link: int | None = None


class Context(Value, frozen=True, kw_only=True):
    """The GPU and its engines at the moment of judging; `now` in seconds since 1970.

    `probe`: the engine on this GPU answers (True), does not (False). `exited`: a process that
    used the GPU has ended in the last seconds. `recovery` is NVML's field 230.
    `history` leaves out the faults that are being judged.
    """

    now: float
    product: Product = Product()
    branch: int | None = None  # of the driver: 570, 595, …
    engine_pids: frozenset[int] | None = None
    probe: bool | None = None
    exited: bool = False
    recovery: Action | None = None
    remap_failed: bool | None = None
    sram_threshold: bool | None = None
    managed_memory: bool | None = None  # an engine here uses CUDA managed memory (UVM)
    history: tuple[Past, ...] = ()
    overrides: Mapping[int, Remedy] = {}

    def ours(self, fault: KernelFault) -> bool | None:
        """Return whether the fault's process belongs to an engine on this GPU."""
        if fault.pid is None or self.engine_pids is None:
            return None
        return fault.pid in self.engine_pids
