"""What the agent needs of systemd, as values and a Protocol."""

from collections.abc import Callable, Iterable
from typing import Protocol, Self

import msgspec
from dbus_fast import Variant

from agent.errors import SourceError

RUNNING = frozenset({"active", "activating", "reloading", "deactivating"})

Changed = Callable[[str], None]  # is given the unit


class UnitState(msgspec.Struct, frozen=True, kw_only=True):
    """What systemd says of a service; by default what it says of one that it has not loaded."""

    active: str = "inactive"  # ActiveState
    sub: str = "dead"  # SubState
    result: str = "success"  # of its latest run; else exit-code, signal, oom-kill, timeout, …
    exec_main_code: int = 0  # siginfo.h: 1 CLD_EXITED, 2 CLD_KILLED, 3 CLD_DUMPED; 0: no end yet
    exec_main_status: int = 0  # the exit code, or the signal
    main_pid: int | None = None

    @property
    def running(self) -> bool:
        """Say whether the unit has a process, or may have one."""
        return self.active in RUNNING

    @classmethod
    def of(cls, properties: dict[str, Variant]) -> Self:
        """Read it off a service's properties; `SourceError` when one is missing."""
        try:
            return cls(
                active=properties["ActiveState"].value,
                sub=properties["SubState"].value,
                result=properties["Result"].value,
                exec_main_code=properties["ExecMainCode"].value,
                exec_main_status=properties["ExecMainStatus"].value,
                main_pid=properties["MainPID"].value or None,
            )
        except KeyError as missing:
            raise SourceError(f"systemd does not tell {missing.args[0]}") from missing


class Units(Protocol):
    """What the agent needs of systemd. `tests/agent/fakes.py` has the fake."""

    @property
    def reloads(self) -> int:
        """How often systemd has, or may have unseen, reloaded all units since we watch.

        A reload can take the GPUs from containers that run.
        """

    async def state(self, unit: str) -> UnitState:
        """Look at a service; `SourceError` when systemd does not answer."""

    async def running(self, unit: str) -> bool:
        """Say whether the unit has a process; `SourceError` when systemd does not answer."""

    def watch(self, units: Iterable[str], changed: Changed) -> None:
        """Have `changed` called when a unit's state changes, or may have changed unseen.

        What is pushed can get lost, so poll as well.
        """

    async def start(self, unit: str, deadline: float) -> None:
        """Start the unit unless it runs; `ActionError` when that fails or is late."""

    async def restart(self, unit: str, deadline: float) -> None:
        """Stop the unit if it runs, then start it; `ActionError` when that fails or is late."""

    async def stop(self, unit: str, deadline: float) -> None:
        """Stop the unit; `ActionError` when that fails or is late."""

    async def kill(self, unit: str, signal: int) -> None:
        """Send the signal to the unit's main process; `ActionError` when that fails."""

    async def reboot(self) -> None:
        """Have the node reboot in good order; `ActionError` when that is refused."""
