"""The journal's settings, and a journald that was started after they were written."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from typing_extensions import override

PATH = "/etc/systemd/journald.conf.d/60-stoker.conf"


class JournaldIsCurrent(FactBase[bool]):
    """Tells whether journald was started after `path` was written."""

    @override
    @staticmethod
    def default() -> bool:
        return True  # what cannot be looked at is no reason to act

    @override
    def command(self, path: str) -> StringCommand:
        started = "systemctl show -p ActiveEnterTimestamp --timestamp=unix systemd-journald.service"
        return StringCommand(
            "written=$(stat -c %Y", QuoteString(path), "2>/dev/null) &&",
            f"started=$({started} | tr -dc 0-9) &&",
            '[ "${started:-0}" -lt "$written" ] && echo stale || true',
        )  # fmt: skip

    @override
    def process(self, output: list[str]) -> bool:
        return output != ["stale"]


@operation()
def journald_current(path: str = PATH) -> Generator[StringCommand]:
    """Restart journald where it runs with what was there before; programs keep their streams."""
    if host.get_fact(JournaldIsCurrent, path=path):
        host.noop("journald runs with what lies there")
        return
    yield StringCommand("systemctl restart systemd-journald.service")
