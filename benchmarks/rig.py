"""The real agent on this machine, with what the sandbox's hosts cannot give: for example 8 GPUs.

Real are the agent's processes, its files, sockets and pipes, and D-Bus. Stand-ins are the kernel
log (a FIFO over /dev/kmsg), the PCI bus (files over /sys/bus/pci/devices; both in a mount namespace
of the agent's own), the driver (the simulated NVML library), systemd (on a bus of its own) and the
engines (the engine simulator). Needs root, gcc and dbus-daemon.
"""

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agent import reports
from agent.client import Agent
from agent.errors import StokerError
from agent.model import EngineState, Phase
from agent.paths import engine_unit
from agent.reports import Started
from agent.snapshot import Snapshot
from agent.sources.host import UNITS
from agent.spec import HostSpec, digest
from agent.state import NodeState
from agent.store import Store, boot_identity
from benchmarks.entry import paths
from benchmarks.figures import CannotMeasureError, tree
from benchmarks.outlets import AgentCheck, Readyz
from tests.agent.systemd_standin import RUNS, Daemon, StandIn
from tests.ports import free_port
from tests.sandbox import kmsg
from tests.sandbox.engine_sim.harness import Simulator, running
from tests.sandbox.layout import REPOSITORY
from tests.sandbox.nvml.build import build
from tests.sandbox.nvml.client import environment
from tests.sandbox.nvml.pci import write_pci
from tests.sandbox.nvml.state import gpu_pci, gpu_uuid, write_state

BUILT = REPOSITORY / "build" / "nvml"
PIPE = 256 << 10  # bytes: as much as the kernel's own ring holds by default (CONFIG_LOG_BUF_SHIFT)
NAMESPACE = """
mount --bind "$0/kmsg" /dev/kmsg && mount --bind "$0/pci" /sys/bus/pci/devices && exec "$@"
"""
ENGINE: Mapping[str, object] = {
    "image": "x@sha256:" + "a" * 64,
    "model": "a/b",
    "revision": "a" * 40,
}


class Rig:
    """A running agent and its world. `engines` are simulators by the engines' names."""

    def __init__(self, root: Path, spec: HostSpec, engines: Mapping[str, Simulator]) -> None:
        self.root, self.spec, self.engines = root, spec, engines
        self.nvml = write_state(root / "nvml.state", spec.driver.gpu_count, spec.name)
        write_pci(root / "pci", spec.driver.gpu_count)
        kmsg.make(root / "kmsg")
        self.paths, self.agent = paths(root), Agent(str(paths(root).socket))
        self._process: subprocess.Popen[bytes] | None = None
        self._files()

    def start(self, bus: str, *options: str) -> None:
        """Start the agent; `options` are those of `benchmarks.entry`."""
        # Held open, so that the log never ends; nobody reads here.
        self.log = os.open(self.root / "kmsg", os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self.log, fcntl.F_SETPIPE_SZ, PIPE)
        command = [sys.executable, "-m", "benchmarks.entry", str(self.root), *options]
        self._process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", NAMESPACE, str(self.root), *command],
            cwd=REPOSITORY,
            env={
                **environment(build(BUILT), self.nvml.path),
                "DBUS_SYSTEM_BUS_ADDRESS": bus,
            },
            stderr=(self.root / "agent.log").open("wb"),
        )

    def stop(self) -> None:
        """End the agent."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            os.close(self.log)

    @property
    def processes(self) -> list[int]:
        """The agent and its children; the agent comes first."""
        assert self._process
        return tree(self._process.pid)

    @property
    def readyz(self) -> Readyz:
        """Its `/readyz`."""
        return Readyz("127.0.0.1", self.spec.agent.port)

    @property
    def agent_check(self) -> AgentCheck:
        """Its agent-check, about the first engine."""
        return AgentCheck("127.0.0.1", self.spec.agent.check_port, next(iter(self.spec.engines)))

    def xid(self, gpu: int, number: int, text: str = "") -> bytes:
        """Return the kernel's record of an Xid."""
        return kmsg.record(kmsg.xid(gpu_pci(gpu), number, text))

    def wait(
        self,
        what: str,
        found: Callable[[Snapshot], bool],
        seconds: float = 60.0,
        every: float = 0.02,
    ) -> Snapshot:
        """Look until it is so, and return the snapshot in which it was."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                status = self.agent.status()
            except StokerError:  # it is not there yet, or has not looked yet
                self._alive()
            else:
                if found(status):
                    return status
            time.sleep(every)
        said = (self.root / "agent.log").read_text().strip()[-500:]
        raise CannotMeasureError(f"not within {seconds:.0f} s: {what}; the agent said: {said}")

    def wait_until_serving(self) -> Snapshot:
        """Return when every engine serves."""
        return self.wait("every engine serves", lambda status: status.phase is Phase.SERVING)

    def acknowledge(self) -> None:
        """Close every incident."""
        for one in self.agent.status().incidents:
            self.agent.acknowledge(one.id, "benchmark", "injected")

    def _alive(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            said = (self.root / "agent.log").read_text().strip()[-500:]
            raise CannotMeasureError(f"the agent ended with {self._process.returncode}: {said}")

    def _files(self) -> None:
        """Leave what a former agent and the runners would have left on a host that serves."""
        for directory in (self.paths.etc, self.paths.state / "agent", self.paths.run / "gates"):
            directory.mkdir(parents=True)
        self.paths.spec.write_bytes(self.spec.dump())
        now, first, states = time.time(), 0, {}
        for name, engine in self.spec.engines.items():
            numbers = range(first, first := first + engine.gpus)
            gpus = tuple(gpu_uuid(self.spec.name, number) for number in numbers)
            report = Started(
                engine=name, digest=digest(engine), container="c", gpus=gpus, started=now
            )
            reports.write(self.paths.started(name), report)
            states[name] = EngineState(
                phase=Phase.SERVING, since=now, reason="Rig", message="it serves", gpus=gpus
            )
        left = NodeState(boot=boot_identity(), engines=states)
        Store(self.paths.state / "agent" / "state.json").save(left)


@contextmanager
def rig(
    engines: Mapping[str, Mapping[str, object]],
    *options: str,
    gpus: int = 8,
    flags: Mapping[str, tuple[str, ...]] | None = None,
    **settings: object,
) -> Iterator[Rig]:
    """Have an agent that serves `engines` (by name: their keys of the spec), on `gpus` GPUs.

    `options` are those of `benchmarks.entry`, `flags` further flags of an engine's simulator,
    `settings` further keys of the spec.
    """
    needed = [name for name in ("unshare", "gcc", "dbus-daemon") if shutil.which(name) is None]
    if needed or os.geteuid() != 0:
        raise CannotMeasureError(f"it takes root, and {', '.join(needed) or 'nothing else'}")
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stoker-bench-")))
        bus = stack.enter_context(_systemd(root, [*UNITS, *map(engine_unit, engines)]))
        simulators = {
            name: stack.enter_context(_engine(root / name, engine, (flags or {}).get(name, ())))
            for name, engine in engines.items()
        }
        ports = {name: {"port": simulator.port} for name, simulator in simulators.items()}
        data = {
            "driver_gpu_count": gpus,
            "agent_port": free_port(),
            "agent_check_port": free_port(),
            "engines": {name: {**ENGINE, **keys, **ports[name]} for name, keys in engines.items()},
            **settings,
        }
        made = Rig(root / "host", HostSpec.from_data("bench", data), simulators)
        stack.callback(made.stop)
        made.start(bus, *options)
        made.wait("every engine answers", _answers)
        yield made


def _answers(status: Snapshot) -> bool:
    return status.phase is Phase.SERVING and all(
        engine.answering for engine in status.engines.values()
    )


@contextmanager
def _engine(
    directory: Path, keys: Mapping[str, object], flags: tuple[str, ...]
) -> Iterator[Simulator]:
    directory.mkdir()
    kind = str(keys["kind"])
    served = () if kind == "tgi" else ("--served-model-name", str(ENGINE["model"]))
    quiet = {"SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION": "0"}
    with running(directory, *served, *flags, dialect=kind, env=quiet) as simulator:
        yield simulator


@contextmanager
def _systemd(root: Path, units: list[str]) -> Iterator[str]:
    """A bus with the stand-in on it, on which `units` run; a thread turns it. Gives its address."""
    loop, stand_in, daemon = asyncio.new_event_loop(), StandIn(), Daemon(root)

    async def begin() -> None:
        await daemon.start()
        await stand_in.appear(daemon.address)
        for unit in units:
            stand_in.load(unit)
            stand_in.become(unit, RUNS)

    async def end() -> None:
        await stand_in.vanish()
        await daemon.kill()

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(begin(), loop).result(20.0)
    try:
        yield daemon.address
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(20.0)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5.0)
