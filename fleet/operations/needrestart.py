"""needrestart asks about services after each apt, or restarts them: ours are none of its business.

It is installed on Ubuntu's servers, and on others where somebody wanted it; where it is not there,
nothing is written.
"""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation
from typing_extensions import override

from fleet.operations.file import place

DIRECTORY = "/etc/needrestart/conf.d"
PATH = f"{DIRECTORY}/60-stoker.conf"


class HasNeedrestart(FactBase[bool]):
    """Tells whether needrestart reads drop-ins on this host."""

    @override
    @staticmethod
    def default() -> bool:
        return False

    @override
    def command(self) -> str:
        return f"[ -d {DIRECTORY} ] && echo yes || true"

    @override
    def process(self, output: list[str]) -> bool:
        return output == ["yes"]


@operation()
def needrestart_quiet(content: str) -> Generator[StringCommand]:
    """Leave `content` where needrestart reads it."""
    if not host.get_fact(HasNeedrestart):
        host.noop("needrestart is not installed")
        return
    yield from place(PATH, content, "644", "root:root", "perl -c")
