"""What the agent says about its engines."""

import msgspec
from pyinfra.api import FactBase
from typing_extensions import override


class State(msgspec.Struct, frozen=True):
    """The part of an engine's state that a deploy needs."""

    phase: str
    by: str = ""


class Engine(msgspec.Struct, frozen=True):
    """One engine; `running_digest` is of the settings it was started with, None = it does not run."""

    state: State
    running_digest: str | None = None


class Status(msgspec.Struct, frozen=True):
    """The part of `stokerctl status --json` that a deploy needs."""

    engines: dict[str, Engine] = {}


class AgentStatus(FactBase[Status]):
    """No engines where no agent answers."""

    @override
    @staticmethod
    def default() -> Status:
        return Status()

    @override
    def command(self) -> str:
        return "/usr/local/bin/stokerctl status --json 2>/dev/null || true"

    @override
    def process(self, output: list[str]) -> Status:
        try:
            return msgspec.json.decode("\n".join(output), type=Status)
        except msgspec.DecodeError:
            return Status()
