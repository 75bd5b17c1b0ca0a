"""GPUs as the driver sees them, through a child process: driver calls hang, so none runs here."""

import asyncio
import sys
from collections.abc import Sequence

import msgspec

from agent.errors import SourceError

WORKER = (sys.executable, "-m", "agent.sources.nvml_worker")
RESPAWN_AFTER = 5.0  # seconds; a driver that is being reloaded needs a moment


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU. `error` is the NVML code that looking at it gave; what was not read is None."""

    index: int
    uuid: str = ""
    pci: str = ""
    name: str = ""
    memory_total: int | None = None  # bytes
    memory_used: int | None = None  # bytes
    temperature: int | None = None  # degrees Celsius
    power: int | None = None  # milliwatts
    utilisation: int | None = None  # per cent
    recovery_action: int | None = None  # NVML field 230: 0 none, 1 reset, 2 reboot, …
    error: int | None = None
    error_text: str = ""


class NvmlReading(msgspec.Struct, frozen=True, kw_only=True):
    """All GPUs, or the NVML code that kept the worker from looking at any."""

    driver: str = ""
    gpus: tuple[Gpu, ...] = ()
    error: int | None = None
    error_text: str = ""


class NoGpus:
    """The source of a host that is to have no GPU: no driver is asked."""

    async def read(self) -> NvmlReading:
        """Return a reading without GPUs."""
        return NvmlReading()


class NvmlSource:
    """Asks the worker; kills and replaces a worker that does not answer in time."""

    def __init__(self, command: Sequence[str] = WORKER, deadline: float = 3.0) -> None:
        self._command, self._deadline = command, deadline
        self._worker: asyncio.subprocess.Process | None = None
        self._killed: asyncio.subprocess.Process | None = None
        self._not_before = 0.0

    async def read(self) -> NvmlReading:
        """Return one poll of all GPUs; `SourceError` when the driver does not answer."""
        worker = await self._running()
        reading = None
        try:
            reading = await self._poll(worker)
        except TimeoutError:
            raise SourceError(f"a driver call did not return in {self._deadline:.0f} s") from None
        except (OSError, msgspec.DecodeError) as error:
            raise SourceError(f"the NVML worker has ended: {error}") from error
        finally:
            # Whatever went wrong, also when we are cancelled: an answer that is still to come would
            # be taken for the next one's. And a driver that was replaced (18) needs a new process.
            if reading is None or reading.error is not None:
                self._drop()
        return reading

    async def _poll(self, worker: asyncio.subprocess.Process) -> NvmlReading:
        if worker.stdin is None or worker.stdout is None:
            raise SourceError("the NVML worker has no pipes")
        worker.stdin.write(b"poll\n")
        line = await asyncio.wait_for(worker.stdout.readline(), self._deadline)
        return msgspec.json.decode(line, type=NvmlReading)

    async def close(self) -> None:
        """Let go of the driver: an open handle blocks a GPU reset. `SourceError` if it cannot."""
        self._drop(respawn_after=0.0)
        await self._buried()

    async def _running(self) -> asyncio.subprocess.Process:
        if self._worker is not None and self._worker.returncode is None:
            return self._worker
        if asyncio.get_running_loop().time() < self._not_before:
            raise SourceError("waiting before the NVML worker is started again")
        await self._buried()
        try:
            self._worker = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise SourceError(f"the NVML worker cannot be started: {error}") from error
        return self._worker

    async def _buried(self) -> None:
        """Wait for the end of a killed worker: while the driver holds it, others would pile up."""
        if self._killed is None:
            return
        try:
            await asyncio.wait_for(self._killed.wait(), self._deadline)
        except TimeoutError:
            self._not_before = asyncio.get_running_loop().time() + RESPAWN_AFTER
            raise SourceError("the driver holds a killed NVML worker") from None
        self._killed = None

    def _drop(self, respawn_after: float = RESPAWN_AFTER) -> None:
        """Kill, and wait later: a worker in an uninterruptible call does not end."""
        if self._worker is not None and self._worker.returncode is None:
            self._worker.kill()
            self._killed = self._worker
        self._worker = None
        self._not_before = asyncio.get_running_loop().time() + respawn_after
