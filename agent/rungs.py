"""The real resets and reboots. A reset needs root, so a unit of its own does it, not the agent."""

from agent.errors import ActionError
from agent.reset import ALL
from agent.sources.unit import Units

RESET_DEADLINE = 300.0  # seconds


class UnitRungs:
    """See `climber.Rungs`."""

    def __init__(self, units: Units) -> None:
        self._units = units

    async def reset(self, subject: str) -> None:
        """See `Rungs`."""
        target = subject.removeprefix("gpu:") if subject.startswith("gpu:") else ALL
        unit = f"stoker-reset@{target}.service"
        try:
            await self._units.start(unit, RESET_DEADLINE)
        except ActionError as error:
            raise ActionError(f"{error}; its journal says why: journalctl -u {unit}") from error

    async def reboot(self) -> None:
        """See `Rungs`."""
        await self._units.reboot()
