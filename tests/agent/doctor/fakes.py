"""A node that is made of values."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from agent.doctor.examination import Examination
from agent.doctor.finding import Finding
from agent.doctor.node import Look, Ran, Space
from agent.doctor.seen import ONCE, Gpus, More, Seen
from agent.errors import SourceError
from agent.snapshot import Snapshot
from agent.sources.gpu import Gpu, NvmlReading
from agent.spec import HostSpec

NOW = 1_800_000_000.0
DAY = 86400.0


class FakeNode:
    """`commands` maps the beginning of a command line to how it ends; the longest that fits counts.

    It ends with a text on stdout, as a `Ran`, or in a `SourceError`.
    A path that has a text is a file of root's, readable by all, unless `looks` says otherwise.
    """

    def __init__(
        self,
        files: Mapping[str, str] | None = None,
        commands: Mapping[str, Any] | None = None,
        *,
        looks: Mapping[str, Look] | None = None,
        spaces: Mapping[str, Space] | None = None,
        links: Mapping[str, str] | None = None,
        snapshot: Snapshot | None = None,
        served: str | None = None,
    ) -> None:
        self.files = dict(files or {})
        self.commands: dict[str, Any] = dict(commands or {})
        self.looks = {**{path: Look() for path in self.files}, **(looks or {})}
        self.spaces, self.links = dict(spaces or {}), dict(links or {})
        self.snapshot, self.served = snapshot, served
        self.ran: list[str] = []

    def text(self, path: str) -> str | None:
        return self.files.get(path)

    def look(self, path: str) -> Look | None:
        return self.looks.get(path)

    def paths(self, pattern: str) -> Sequence[str]:
        plain = pattern.replace("**", "*")
        return sorted(path for path in {**self.looks} if fnmatch.fnmatchcase(path, plain))

    def real(self, path: str) -> str | None:
        return self.links.get(path)

    def space(self, path: str) -> Space | None:
        return self.spaces.get(path)

    def run(self, *command: str, seconds: float = 5.0) -> Ran | None:
        line = " ".join(command)
        self.ran.append(line)
        fitting = [begin for begin in self.commands if line.startswith(begin)]
        if not fitting:
            return None
        answer = self.commands[max(fitting, key=len)]
        if isinstance(answer, SourceError):
            raise answer
        if isinstance(answer, str):
            return Ran(0, answer)
        assert isinstance(answer, Ran)
        return answer

    def agent(self) -> Snapshot:
        if self.snapshot is None:
            raise SourceError("no agent")
        return self.snapshot

    def certificate(self, port: int) -> str | None:
        return self.served


def nvml(*gpus: Gpu, more: Mapping[str, More] | None = None, **reading: Any) -> dict[str, str]:
    """Return the command by which a fake node shows these GPUs."""
    told = Gpus(reading=NvmlReading(gpus=gpus, **reading), more=dict(more or {}))
    return {" ".join(ONCE): msgspec.json.encode(told).decode()}


def found(
    examination: Examination[Any], node: FakeNode, spec: HostSpec | None, now: float = NOW
) -> list[Finding]:
    """Read and judge."""
    return list(examination.judge(examination.read(Seen(node), spec), spec, now))


def told(findings: Iterable[Finding]) -> list[str]:
    """Return `severity: message` of each."""
    return [f"{one.severity}: {one.message}" for one in findings]
