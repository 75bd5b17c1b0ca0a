"""The GPUs: well, persistent, with ECC."""

from collections.abc import Iterable, Iterator

from agent.doctor.finding import Finding, fault, warning
from agent.doctor.seen import Gpus, Seen
from agent.sources.gpu import Gpu, NvmlReading
from agent.spec import HostSpec

RESET = "stokerctl why; drained, nvidia-smi --gpu-reset -i {}, or reboot"


def wanted(spec: HostSpec | None) -> bool:
    """Say whether there may be GPUs to look at."""
    return spec is None or spec.driver.gpu_count > 0


def named(gpus: Iterable[Gpu]) -> str:
    """Return "GPU 0" or "GPUs 0, 1"."""
    numbers = [str(one.index) for one in gpus]
    return f"GPU{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


class OfGpus:
    """What examinations have in common that look at NVML's poll."""

    def read(self, seen: Seen, spec: HostSpec | None) -> Gpus:
        """Take the poll; none where no GPU is wanted."""
        return seen.gpus() if wanted(spec) else Gpus(reading=NvmlReading())


class GpuState(OfGpus):
    """Does each GPU answer, and does the driver want something done?"""

    name = "gpu_state"

    def judge(self, reading: Gpus, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Tell of GPUs that are lost, and of what the driver asks for (field 230)."""
        for one in reading.reading.gpus:
            if one.error is not None:
                yield fault(f"GPU {one.index}: {one.error_text}", RESET.format(one.index))
            elif one.recovery_action:
                asks = "a reset" if one.recovery_action == 1 else f"action {one.recovery_action}"
                yield fault(
                    f"the driver asks for {asks} of GPU {one.index}", RESET.format(one.index)
                )


class GpuMemory(OfGpus):
    """Is the memory of each GPU sound?"""

    name = "gpu_memory"

    def judge(self, reading: Gpus, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """The gravest finding of each GPU."""
        for one in reading.reading.gpus:
            reset = RESET.format(one.index)
            if one.remap_failed or one.sram_threshold:
                what = "a row could not be remapped" if one.remap_failed else "too many SRAM errors"
                yield fault(f"the memory of GPU {one.index} is worn out: {what}", "replace the GPU")
            elif one.remap_pending or one.retired_pending:
                yield warning(f"GPU {one.index} remaps a row of memory at its next reset", reset)
            elif one.ecc_uncorrected:
                yield warning(
                    f"GPU {one.index} has had {one.ecc_uncorrected} uncorrectable memory error(s) "
                    "since the driver was loaded",
                    f"nvidia-smi -q -d ECC,ROW_REMAPPER -i {one.index}; {reset}",
                )


class Persistence(OfGpus):
    """Does the driver keep its state while no process uses a GPU?"""

    name = "persistence"

    def judge(self, reading: Gpus, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Tell of GPUs without persistence mode, which a running nvidia-persistenced may leave."""
        if off := [one for one in reading.reading.gpus if one.persistence is False]:
            yield warning(
                f"persistence mode is off on {named(off)}",
                "systemctl restart nvidia-persistenced; if it stays off: nvidia-smi -pm 1",
            )


class Ecc(OfGpus):
    """Is memory guarded by ECC, now and after the next reset?"""

    name = "ecc"

    def judge(self, reading: Gpus, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Boards without ECC tell none."""
        polled = reading.reading.gpus
        modes = [(one, reading.more[one.pci].ecc) for one in polled if one.pci in reading.more]
        if off := [one for one, mode in modes if mode == (False, False)]:
            yield warning(
                f"ECC is off on {named(off)}: memory errors go unseen",
                "nvidia-smi -e 1, then reset the GPUs (drained) or reboot",
            )
        for then, word in ((True, "on"), (False, "off")):
            if changing := [one for one, mode in modes if mode == (not then, then)]:
                yield warning(
                    f"ECC of {named(changing)} will be {word} after the next reset",
                    f"reset (drained) or reboot; or take it back: nvidia-smi -e {int(not then)}",
                )
