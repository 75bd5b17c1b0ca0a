"""An operator's Grafana: it reads what provisions it only when it starts."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from typing_extensions import override

UNIT = "grafana-server.service"


class GrafanaBehind(FactBase[bool]):
    """Tells whether a Grafana runs that was started before one of the files was written."""

    @override
    @staticmethod
    def default() -> bool:
        return False

    @override
    def command(self, files: list[str]) -> StringCommand:
        # In UTC: `find` knows few zones by the letters that a host's own time would come with.
        started = "systemctl show -p ExecMainStartTimestamp --timestamp=us+utc --value"
        return StringCommand(
            f"since=$({started} {UNIT} 2>/dev/null);",
            f"systemctl -q is-active {UNIT} && find", *map(QuoteString, files),
            '-newermt "$since" 2>/dev/null; true',
        )  # fmt: skip

    @override
    def process(self, output: list[str]) -> bool:
        return any(output)


@operation()
def grafana_current(files: list[str]) -> Generator[StringCommand]:
    """Start Grafana again if it runs with what `files` were before; one that is not is left."""
    if not host.get_fact(GrafanaBehind, files=files):
        host.noop("Grafana does not run, or runs with these")
        return
    yield StringCommand(f"systemctl try-restart {UNIT}")
