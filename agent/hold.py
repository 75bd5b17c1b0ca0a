"""Our hold on the driver, as one: the worker that polls it and the child that waits for events."""

from agent.errors import SourceError
from agent.sources.nvml import NvmlSource
from agent.sources.nvml_events import NvmlEvents


class Hold:
    """See `climber.Driver`."""

    def __init__(self, nvml: NvmlSource | None, events: NvmlEvents | None) -> None:
        self._nvml, self._events = nvml, events

    async def close(self) -> None:
        """See `Driver`."""
        if self._nvml is None or self._events is None:
            raise SourceError("this host has no GPU")
        await self._events.close()
        await self._nvml.close()

    def resume(self) -> None:
        """See `Driver`."""
        if self._nvml is not None and self._events is not None:
            self._nvml.resume()
            self._events.start()
