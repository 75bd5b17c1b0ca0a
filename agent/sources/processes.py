"""The processes of each engine: all that run in its container's cgroup."""

from collections.abc import Iterable
from pathlib import Path

from agent import reports
from agent.errors import SourceError
from agent.paths import Paths


class ProcessSource:
    """Reads the runner's report and the kernel's cgroup files; asks nobody."""

    def __init__(
        self,
        engines: Iterable[str],
        paths: Paths,
        proc: Path = Path("/proc"),
        cgroups: Path = Path("/sys/fs/cgroup"),
    ) -> None:
        self._engines, self._paths = tuple(engines), paths
        self._proc, self._cgroups = proc, cgroups

    async def read(self) -> dict[str, frozenset[int]]:
        """Return the process ids by engine; an engine of which none can be told is left out."""
        found = {name: self._pids(name) for name in self._engines}
        return {name: pids for name, pids in found.items() if pids}

    def _pids(self, name: str) -> frozenset[int]:
        try:
            started = reports.read(self._paths.started(name), reports.Started)
            if started is None or started.pid is None:
                return frozenset()
            return frozenset(self._listed(started.pid))
        except (OSError, SourceError, ValueError):  # it ends while we look
            return frozenset()

    def _listed(self, pid: int) -> list[int]:
        """Return the members of the process's cgroup (cgroups(7): v2 has the empty controller)."""
        for line in (self._proc / str(pid) / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            root = self._cgroups / controllers if controllers else self._cgroups
            listing = root / path.lstrip("/") / "cgroup.procs"
            if path != "/" and listing.exists():
                return [int(one) for one in listing.read_text().split()]
        return []
