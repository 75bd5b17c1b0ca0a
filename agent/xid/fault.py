"""What a source says about one fault, before anybody judges it."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum

import msgspec

from agent.model import Value
from agent.xid import bus

FELL_OFF = 79  # bus-loss lines carry no number; this is the number of what they tell
MIG_NONE = 0xFFFFFFFF  # NVML's instance ids where there is no MIG


class Source(StrEnum):
    """Who told us."""

    KERNEL = "kernel"
    DRIVER = "nvml"


class Kind(StrEnum):
    """XID: a GPU; SXID: an NVSwitch; RESET: somebody has reset a GPU, and it went well."""

    XID = "xid"
    SXID = "sxid"
    RESET = "reset"


class Action(IntEnum):
    """What the driver says a GPU needs: NVML field 230, and the text of Xid 154 (nvml.h)."""

    NONE = 0
    GPU_RESET = 1
    NODE_REBOOT = 2
    DRAIN_P2P = 3
    DRAIN_AND_RESET = 4
    RECOVER_IMEX = 5
    BUS_RESET = 6
    SYSTEM_REBOOT = 7


class KernelFault(Value, frozen=True, kw_only=True, omit_defaults=True):
    """One fault of one GPU (or switch) as one source told it. None = the source did not say.

    `at` is in seconds since 1970. `seq` is the kernel log's sequence number within `boot`.
    """

    gpu: str  # bus id as `bus.normal` spells it; "" when the line names a UUID only
    xid: int
    kind: Kind = Kind.XID
    source: Source = Source.KERNEL
    at: float = 0.0
    boot: str = ""
    seq: int | None = None
    text: str = ""
    pid: int | None = None
    process: str = ""
    partition: int | None = None  # MIG's GPU instance
    compute: int | None = None  # MIG's compute instance
    cause: int | None = None  # the Xid that 45 names as the one before it
    former: Action | None = None  # 154: changed from …
    action: Action | None = None  # 154: … to
    place: tuple[int, int] | None = None  # 13: GPC and TPC
    link: int | None = None
    words: tuple[int, ...] = ()  # the registers of 74; intrinfo and error word of 144-150
    unit: str = ""  # 144-150: the unit that complains
    fatal: bool | None = None  # the word Fatal or Non-fatal in 144-150 and SXid
    resets: tuple[bool, bool] | None = None  # 94 and 95: reset needed, drain and reset needed
    uuid: str = ""

    @property
    def details(self) -> tuple[object, ...]:
        """All that can change a verdict; faults that agree in it need to be kept only once."""
        return (
            self.pid,
            self.cause,
            self.action,
            self.place,
            self.link,
            self.words,
            self.unit,
            self.fatal,
        )

    def placed(self, buses: Mapping[str, str]) -> "KernelFault":
        """Return the fault with the bus id that belongs to its UUID (`buses`: UUID → bus id)."""
        if self.gpu or not self.uuid:
            return self
        return msgspec.structs.replace(self, gpu=bus.normal(buses.get(self.uuid, "")))


def from_event(
    bus_id: str, xid: int, at: float, boot: str, partition: int = MIG_NONE, compute: int = MIG_NONE
) -> KernelFault:
    """Return the fault that an NVML event (XidCriticalError) tells: a number, and no text."""
    return KernelFault(
        gpu=bus.normal(bus_id),
        xid=xid,
        source=Source.DRIVER,
        at=at,
        boot=boot,
        partition=None if partition == MIG_NONE else partition,
        compute=None if compute == MIG_NONE else compute,
    )
