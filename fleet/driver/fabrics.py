"""What the switches between GPUs need beside the driver.

Sources: NVIDIA's Fabric Manager user guide and IMEX guide. NVSwitches of Blackwell are not on the
PCI bus: what is seen of them are ConnectX functions whose product data say SW_MNG.
"""

from collections.abc import Sequence

from agent.model import Value
from fleet.driver import names
from fleet.driver.pci import Gpu

HGX = 8  # GPUs on a whole board of Blackwell; fewer, without switches, are a guest's share of one


class Fabric(Value, frozen=True, kw_only=True):
    """Packages, which of them must have the driver's version, kernel modules, and units."""

    packages: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


_MANAGER = Fabric(
    packages=(names.FABRIC_MANAGER,),
    exact=(names.FABRIC_MANAGER,),
    units=("nvidia-fabricmanager.service",),
)
_WITH_SUBNET_MANAGER = Fabric(
    # Fabric Manager looks for ibstat, which infiniband-diags has.
    packages=(names.FABRIC_MANAGER, "nvlsm", "infiniband-diags"),
    exact=(names.FABRIC_MANAGER,),
    modules=("ib_umad",),
    units=("nvidia-fabricmanager.service",),
)
_RACK = Fabric(packages=(names.IMEX,), exact=(names.IMEX,), units=("nvidia-imex.service",))


def of(gpus: Sequence[Gpu], switches: int) -> Fabric:
    """Return what a host with these GPUs and this many NVSwitches needs."""
    hgx = sum(gpu.form == "HGX" for gpu in gpus)
    if any(gpu.form == "NVL72" for gpu in gpus):
        return _RACK
    if hgx and (switches or hgx >= HGX):
        return _WITH_SUBNET_MANAGER
    return _MANAGER if switches else Fabric()
