"""Reset one GPU, or all of them: `python -m agent.reset GPU-UUID | all`, as root, by its own unit.

The agent has drained and stopped the engines and let go of the driver. Here the services that hold
the driver are stopped, the GPU is reset and looked at, and they are started again. Refuses while a
process still uses the GPU, and where the operator has not armed resets. Exit code 0 = it is well.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from agent import spec
from agent.errors import GARBLED, ActionError, StokerError
from agent.paths import Paths
from agent.xid.line import reset_done

ALL = "all"
# They keep the driver open, and a reset needs it closed. Started again in reverse order.
HOLDERS = ("nvidia-dcgm.service", "nvidia-persistenced.service")
FABRIC_HOLDERS = ("nvidia-fabricmanager.service",)
DEADLINE = 120.0  # seconds for one command

Run = Callable[[tuple[str, ...]], tuple[int, str]]
Users = Callable[[str], list[str]]  # of a target: the processes that use it


def main(target: str, run: Run, users: Users, paths: Paths, log: Path = Path("/dev/kmsg")) -> int:
    """Reset `target`; print what went wrong, if anything did."""
    try:
        if not spec.load(paths.spec.read_bytes()).agent.arm_reset:
            raise ActionError("agent_arm_reset is False: this host's GPUs are not to be reset")
        for bus in reset(target, run, users):
            print(f"GPU {bus} was reset", flush=True)
            _tell(log, reset_done(bus))
    except (StokerError, OSError, *GARBLED) as error:
        print(f"reset of {target}: {error}", flush=True)
        return 1
    return 0


def reset(target: str, run: Run, users: Users) -> list[str]:
    """Reset and verify; return the bus ids. `ActionError` when it did not go well.

    `users` are asked for when the services that hold the driver have let go of it.
    """
    held = [unit for unit in _holders(target) if run(("systemctl", "is-active", unit))[0] == 0]
    try:
        for unit in held:
            _must(run, ("systemctl", "stop", unit))
        if left := users(target):
            raise ActionError(f"in use by {', '.join(left)}: nothing was reset")
        which = () if target == ALL else ("-i", target)
        _must(run, ("nvidia-smi", "--gpu-reset", *which))
        query = ("nvidia-smi", "--query-gpu=pci.bus_id", "--format=csv,noheader", *which)
        return [line.strip() for line in _must(run, query).splitlines() if line.strip()]
    finally:
        for unit in reversed(held):
            _start_again(run, unit)


def holding(target: str, proc: Path = Path("/proc")) -> list[str]:
    """Return the processes that have the device of the GPU open, as `name (pid)`.

    Where it is not known which device that is, any GPU's counts.
    """
    minor = None if target == ALL else _minor(target, proc / "driver/nvidia/gpus")
    found = (_user(process, minor) for process in proc.iterdir() if process.name.isdecimal())
    return sorted(name for name in found if name)


def command(words: tuple[str, ...]) -> tuple[int, str]:
    """Run a command for at most `DEADLINE` seconds; `ActionError` when it is late."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=DEADLINE, check=False
        )
    except subprocess.TimeoutExpired:
        raise ActionError(f"{' '.join(words)}: not done within {DEADLINE:.0f} s") from None
    return done.returncode, (done.stdout + done.stderr).strip()


def _holders(target: str) -> Iterable[str]:
    return (*HOLDERS, *FABRIC_HOLDERS) if target == ALL else HOLDERS


def _must(run: Run, words: tuple[str, ...]) -> str:
    code, out = run(words)
    if code != 0:
        raise ActionError(f"{' '.join(words)}: {out.splitlines()[-1] if out else f'exit {code}'}")
    return out


def _start_again(run: Run, unit: str) -> None:
    """Start what was stopped; one that does not start must not keep the others from it."""
    try:
        _must(run, ("systemctl", "start", unit))
    except ActionError as error:
        print(error, flush=True)


def _minor(uuid: str, gpus: Path) -> str | None:
    """Return the number in the name of a GPU's device, as the driver's /proc files tell it."""
    for file in gpus.glob("*/information"):
        lines = [line.partition(":") for line in file.read_text().splitlines()]
        known = {name.strip(): value.strip() for name, _, value in lines}
        if known.get("GPU UUID") == uuid:
            return known.get("Device Minor")
    return None


def _user(process: Path, minor: str | None) -> str:
    try:
        files = [str(file.readlink()) for file in (process / "fd").iterdir()]
        name = (process / "comm").read_text(errors="replace").strip()
    except OSError:  # it ended, or its files are gone
        return ""
    numbers = {file.removeprefix("/dev/nvidia") for file in files if file.startswith("/dev/nvidia")}
    used = minor in numbers if minor else any(one.isdecimal() for one in numbers)
    return f"{name} ({process.name})" if used else ""


def _tell(log: Path, line: str) -> None:
    """Leave a mark in the kernel's log: whoever reads it knows that the faults before are over."""
    try:
        with log.open("w") as file:
            file.write(line + "\n")
    except OSError as error:
        print(f"{log}: {error}", flush=True)


def stop_on_term() -> None:
    """End in order when systemd finds us late: what was stopped is started again."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


if __name__ == "__main__":
    stop_on_term()
    sys.exit(main(sys.argv[1], command, holding, Paths()))
