"""Killed children until they end. In an uninterruptible driver call they do not: abandoned."""

from agent.sources.nvml_child import Child


class Graves:
    """Who was killed, and on which GPU (bus id) it was; "" = on none in particular."""

    def __init__(self) -> None:
        self._killed: list[tuple[Child, str]] = []
        self._abandoned: list[tuple[Child, str]] = []

    def add(self, child: Child, pci: str) -> None:
        """Remember a child that was just killed."""
        self._killed.append((child, pci))

    async def wait(self, within: float) -> None:
        """Give each newly killed child so many seconds to end; who does not is abandoned."""
        waited, self._killed = self._killed, []
        self._abandoned += [(c, pci) for c, pci in waited if not await c.ended(within)]

    def abandoned(self) -> list[str]:
        """Return the GPUs of children that the driver does not let end, one entry a child."""
        self._abandoned = [(child, pci) for child, pci in self._abandoned if not child.has_ended]
        return [pci for _, pci in self._abandoned]

    def held(self) -> set[str]:
        """Return the GPUs that must not be called: a killed child may still be in a call there."""
        return {*self.abandoned(), *(pci for c, pci in self._killed if not c.has_ended)}
