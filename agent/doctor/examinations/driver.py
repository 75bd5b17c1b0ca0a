"""The driver: does it answer, are its parts of one version, can its modules drive these GPUs?"""

from collections.abc import Iterator

import msgspec

from agent.doctor.finding import Finding, fault
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.sources.host_files import HERE
from agent.spec import HostSpec

UNINITIALISED, NOT_LOADED, NO_LIBRARY, MISMATCH = 1, 9, 12, 18  # nvml.h
REBOOT = 'stokerctl drain --reason "driver" --wait 600 && systemctl reboot'
BLACKWELL, TURING = 100, 75  # compute capability: major × 10 + minor


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What NVML says of the driver; `silent`: how it did not answer."""

    silent: str = ""
    error: int | None = None
    text: str = ""


class DriverAnswers:
    """Does the driver answer at all?"""

    name = "driver_answers"

    def read(self, seen: Seen, spec: HostSpec | None) -> Answer:
        """Ask NVML in a child process, which may hang."""
        if spec is not None and not spec.driver.gpu_count:
            return Answer()
        try:
            told = seen.nvml().reading
        except SourceError as error:
            return Answer(silent=str(error))
        return Answer(error=told.error, text=told.error_text)

    def judge(self, reading: Answer, spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """A driver that returns nothing holds every new engine up."""
        if "no answer" in reading.silent:
            yield fault(
                f"the driver does not return from a call: {reading.silent}",
                "stokerctl why; dmesg | grep -i xid; a driver that hangs is freed by a reboot",
            )
        elif reading.silent:
            raise SourceError(reading.silent)
        elif reading.error in {NOT_LOADED, UNINITIALISED}:
            yield fault(
                f"no driver is loaded (NVML: {reading.text})",
                "modprobe nvidia; if there is no module: dkms status, then deploy this host again",
            )
        elif reading.error == NO_LIBRARY and spec is not None:
            yield fault("no driver is installed (NVML's library is missing)", "deploy this host")
        elif reading.error not in {None, MISMATCH, NO_LIBRARY}:
            yield fault(
                f"the driver answers with an error (NVML {reading.error}: {reading.text})",
                "dmesg | grep -iE 'nvrm|xid'; stokerctl why",
            )


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """Versions of the loaded module, of the one on disk, of the library; None = not told."""

    loaded: str | None = None
    installed: str | None = None
    library: str | None = None
    mismatch: bool = False


class DriverVersions:
    """Are module and library of one version? If not, the next start of an engine fails."""

    name = "driver_versions"

    def read(self, seen: Seen, spec: HostSpec | None) -> Versions:
        """Look at sysfs, modinfo and the library; NVML itself says it with error 18."""
        if spec is not None and not spec.driver.gpu_count:
            return Versions()
        loaded = seen.node.text("/sys/module/nvidia/version")
        built = seen.node.run("modinfo", "-F", "version", "nvidia")
        try:
            mismatch = seen.nvml().reading.error == MISMATCH
        except SourceError:
            mismatch = False
        return Versions(
            loaded=loaded.strip() if loaded else None,
            installed=built.out.strip() or None if built and not built.code else None,
            library=library(seen),
            mismatch=mismatch,
        )

    def judge(self, reading: Versions, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Compare what is loaded with what is installed."""
        loaded, on_disk = reading.loaded, reading.library or reading.installed
        if reading.mismatch:
            is_now = (
                f"module {loaded}, library {on_disk}" if loaded and on_disk else "NVML error 18"
            )
            yield fault(
                f"driver and library are of different versions ({is_now}): no engine can start",
                REBOOT,
            )
        elif loaded and (there := {reading.library, reading.installed} - {None, loaded}):
            others = " and ".join(sorted(map(str, there)))
            yield fault(
                f"driver {loaded} is loaded, but {others} is installed: the next engine that is "
                "started fails",
                REBOOT,
            )


class Flavour(msgspec.Struct, frozen=True, kw_only=True):
    """`open`: the loaded modules are the open ones; None = not told. By GPU name: capability."""

    open: bool | None = None
    capabilities: dict[str, int] = {}


class DriverFlavour:
    """Can modules of this kind drive these GPUs? Open ones: Turing and later; others: to Hopper."""

    name = "driver_flavour"

    def read(self, seen: Seen, spec: HostSpec | None) -> Flavour:
        """The module says in /proc what it is."""
        if spec is not None and not spec.driver.gpu_count:
            return Flavour()
        told = seen.node.text("/proc/driver/nvidia/version")
        if told is None:
            return Flavour()
        gpus = seen.gpus().reading.gpus
        return Flavour(
            open="Open Kernel Module" in told,
            capabilities={one.name: one.capability for one in gpus if one.capability},
        )

    def judge(self, reading: Flavour, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Name the GPUs that these modules cannot drive."""
        for name, capability in reading.capabilities.items():
            if reading.open is False and capability >= BLACKWELL:
                wanted, other = "open", "proprietary"
            elif reading.open and capability < TURING:
                wanted, other = "proprietary", "open"
            else:
                continue
            yield fault(
                f"the {other} kernel modules are loaded, but {name} needs the {wanted} ones",
                "take the driver's packages of the wrong flavour out, then deploy this host again",
            )


def library(seen: Seen) -> str | None:
    """Return the version of the NVML that a new process would load."""
    for directory in HERE.libraries:
        real = seen.node.real(f"{directory}/libnvidia-ml.so.1")
        if real is not None:
            version = real.rpartition(".so.")[2]
            return version if version.count(".") else None
    return None
