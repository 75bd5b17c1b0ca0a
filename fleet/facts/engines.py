"""What the agent says about its engines."""

import sys

import msgspec
from pyinfra.api import FactBase
from typing_extensions import override

from agent.errors import GARBLED
from fleet.release import given


class State(msgspec.Struct, frozen=True):
    """The part of an engine's state that a deploy needs."""

    phase: str
    by: str = ""
    goal: str | None = None


class Engine(msgspec.Struct, frozen=True):
    """One engine; `running_digest` is of the settings it runs with, None = it does not run.

    `model`: the repository that it serves; `served_name`: what clients call it; `gpus`: the UUIDs
    of those that it runs on.
    """

    state: State
    running_digest: str | None = None
    model: str = ""
    served_name: str = ""
    port: int = 0
    gpus: tuple[str, ...] = ()

    @property
    def at_work(self) -> bool:
        """Whether requests may be in flight."""
        return self.state.phase in {"SERVING", "DRAINING"}


class Gpu(msgspec.Struct, frozen=True):
    """One GPU; `processes` compute on it, `error` = it does not answer."""

    uuid: str = ""
    processes: tuple[int, ...] | None = None
    mig: bool | None = None
    error: int | None = None


class Gpus(msgspec.Struct, frozen=True):
    """The last poll of the driver."""

    gpus: tuple[Gpu, ...] = ()


class Condition(msgspec.Struct, frozen=True):
    """A finding that stands, such as of `gpu:UUID`."""

    subject: str
    remedy: str = "none"


class Status(msgspec.Struct, frozen=True):
    """The part of the agent's status that a deploy needs. `gpus` None = not known."""

    engines: dict[str, Engine] = {}
    gpus: Gpus | None = None
    conditions: tuple[Condition, ...] = ()


class AgentStatus(FactBase[Status]):
    """No engines where no agent runs. `wait`: seconds to wait for engines that are starting."""

    @override
    @staticmethod
    def default() -> Status:
        return Status()

    @override
    def command(self, wait: float = 0) -> str:
        # On a node by the very program that asks: the link may be what is no longer as it was.
        python = sys.executable if given.release() else "/opt/stoker/venv/bin/python"
        return (
            "systemctl is-active -q stoker-agent.service && "
            f"{python} -m agent.settled --wait {wait:.0f} || true"
        )

    @override
    def process(self, output: list[str]) -> Status:
        try:
            return msgspec.json.decode("\n".join(output), type=Status)
        except GARBLED:
            return Status()
