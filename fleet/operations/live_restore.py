"""Running containers, over the restart of a Docker that was not told to keep them."""

from collections.abc import Generator

from msgspec import Struct
from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation
from typing_extensions import override

_ASK = "docker info -f '{{.ContainersRunning}} {{.LiveRestoreEnabled}}' 2>/dev/null"


class Running(Struct, frozen=True):
    """How many containers run, and whether a restart of dockerd leaves them alone."""

    containers: int = 0
    kept: bool = True


class RunningContainers(FactBase[Running]):
    """Asks dockerd; where none answers nothing can be ended by its restart."""

    @override
    @staticmethod
    def default() -> Running:
        return Running()

    @override
    def command(self) -> str:
        return f"{_ASK} || true"

    @override
    def process(self, output: list[str]) -> Running:
        count, _, kept = (output or [""])[0].partition(" ")
        return Running(int(count), kept == "true") if count.isdigit() else Running()


@operation()
def live_restore() -> Generator[StringCommand]:
    """Let dockerd take up `live-restore` from its settings, which it can without a restart."""
    running = host.get_fact(RunningContainers)
    if running.kept or not running.containers:
        host.noop("a restart of Docker ends no container")
        return
    yield StringCommand(
        "systemctl reload docker.service; for i in 1 2 3 4 5 6 7 8 9 10; do",
        f'case "$({_ASK})" in *true) exit 0;; esac; sleep 0.5; done;',
        'echo "dockerd does not take up live-restore: its restart would end the containers that',
        'run; stop them, then deploy again (journalctl -u docker.service says why)" >&2; exit 1',
    )
