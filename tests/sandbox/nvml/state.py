"""Write and change the state file that drives the NVML simulator.

A change takes effect in every process that uses the library at its next NVML call, or within a
few milliseconds in a call that hangs or waits.
"""

import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.sandbox.nvml import keys

XID_EVENT = 0x8  # nvmlEventTypeXidCriticalError
Value = str | int
_KEPT = ("gpus", "driver_version", "nvml_version", "cuda_version", "driver_branch")


def gpu_uuid(host: str, index: int) -> str:
    """The same UUID for the same host name and GPU number, on every machine."""
    return f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{host}.sandbox/gpu/{index}')}"


def gpu_pci(index: int) -> str:
    """PCI address of the GPU as NVML writes it: 00000000:06:00.0, 00000000:07:00.0 and so on."""
    return f"00000000:{6 + index:02X}:00.0"


class NvmlState:
    """The state file of one host, changed at run time.

    `gpu` is the GPU's number in the file, which stays the same when another GPU is removed; None
    means "for calls that name no GPU, and for all GPUs". Call names may carry a version suffix or
    not (`nvmlInit_v2`, `nvmlInit`): a fault holds for all versions. `*` stands for every call.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, str]:
        """Every key that differs from the built-in defaults."""
        return keys.parse(self.path.read_text())

    def set(self, gpu: int | None, key: str, value: Value) -> None:
        """Give a key a value; ValueError for a key that the simulator doesn't know."""
        name = keys.checked(_full(gpu, key))
        self._change(lambda state: state.update({name: str(value)}))

    def unset(self, gpu: int | None, key: str) -> None:
        """Back to the default; no error when it is there already."""
        name = keys.checked(_full(gpu, key))
        self._change(lambda state: state.pop(name, None))

    def inject_return(self, function: str, code: int, gpu: int | None = None) -> None:
        """Make a call answer an NVML return code; 0 takes the fault back."""
        self._fault("return", function, code, gpu)

    def delay(self, function: str, milliseconds: int, gpu: int | None = None) -> None:
        """Make a call take longer; 0 takes the fault back."""
        self._fault("delay_ms", function, milliseconds, gpu)

    def hang(self, function: str, gpu: int | None = None, *, uninterruptible: bool = False) -> None:
        """Let a call never return until `release`; uninterruptible: only SIGKILL ends it."""
        self._fault("hang_uninterruptible" if uninterruptible else "hang", function, 1, gpu)

    def release(self, function: str, gpu: int | None = None) -> None:
        """Let a hanging call go on."""
        for kind in ("hang", "hang_uninterruptible"):
            self._fault(kind, function, 0, gpu)

    def lose(self, gpu: int) -> None:
        """The GPU falls off the bus: GPU_IS_LOST from every call and every wait."""
        self.set(gpu, "lost", 1)

    def require_reset(self, gpu: int) -> None:
        """RESET_REQUIRED from all but identity calls; the recovery action (field 230) is 1."""
        self.set(gpu, "reset_required", 1)
        self.set(gpu, "recovery_action", 1)

    def remove(self, gpu: int) -> None:
        """The GPU is gone as if it had never been there: one fewer in the count, no error."""
        self.set(gpu, "absent", 1)

    def processes(self, gpu: int, memory_by_pid: dict[int, int]) -> None:
        """The compute processes on the GPU and their memory in bytes; memory in use follows."""
        listed = ", ".join(f"{pid}:{memory}" for pid, memory in memory_by_pid.items())
        self.set(gpu, "processes", listed)
        self.set(gpu, "memory.used", sum(memory_by_pid.values()))

    def xid(self, gpu: int, number: int) -> None:
        """Deliver an Xid to every event set that watches the GPU, as the driver would."""
        self.event(gpu, XID_EVENT, number)

    def event(self, gpu: int, event_type: int, data: int) -> None:
        """Deliver any event: type is one bit of the mask that event sets register."""
        self._append(f"gpu={gpu} type={event_type:#x} data={data}")

    def system_event(self, gpu: int, event_type: int) -> None:
        """Deliver a system event: 1 the driver lets go of the GPU, 2 it takes it."""
        self._append(f"gpu={gpu} system={event_type:#x}")

    def clear(self) -> None:
        """Take every change back but the GPUs' identity and the versions. Past events stay."""

        def keep_identity(state: dict[str, str]) -> None:
            for key in [key for key in state if not _is_identity(key)]:
                del state[key]

        self._change(keep_identity)

    def _fault(self, kind: str, function: str, value: int, gpu: int | None) -> None:
        key = f"{kind}.{function}"
        if value:
            self.set(gpu, key, value)
        else:
            self.unset(gpu, key)

    def _change(self, change: Callable[[dict[str, str]], object]) -> None:
        with _locked(self.path):
            state = self.read()
            change(state)
            _replace(self.path, state)

    def _append(self, event: str) -> None:
        with _locked(self.path), (self.path.parent / "nvml.events").open("ab+") as events:
            events.seek(0)
            sequence = events.read().count(b"\n") + 1
            events.write(f"{sequence} {event}\n".encode())


def write_state(
    path: Path, gpus: int = 2, host: str = "localhost", **overrides: Value
) -> NvmlState:
    """Write a new state file with `gpus` healthy H100s; dotted keys go in as `**{"gpu.0.x": 1}`.

    UUIDs come from the host's name. Files beside it are made where missing: `nvml.events`,
    `nvml.clients` (locked by every process that holds NVML) and `nvml.lock` (writers').
    """
    state: dict[str, str] = {"gpus": str(gpus)}
    for index in range(gpus):
        state[f"gpu.{index}.uuid"] = gpu_uuid(host, index)
        state[f"gpu.{index}.pci"] = gpu_pci(index)
    for key, value in overrides.items():
        state[keys.checked(key)] = str(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in ("nvml.events", "nvml.clients"):
        (path.parent / name).touch()
    with _locked(path):
        _replace(path, state)
    return NvmlState(path)


def _full(gpu: int | None, key: str) -> str:
    return key if gpu is None else f"gpu.{gpu}.{key}"


def _is_identity(key: str) -> bool:
    return key in _KEPT or (key.startswith("gpu.") and key.split(".", 2)[-1] in keys.IDENTITY)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other writers out: the library and nvidia-smi take the same lock."""
    with (path.parent / "nvml.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(path: Path, state: dict[str, str]) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text("".join(f"{key} = {value}\n" for key, value in state.items()))
    fresh.replace(path)
