"""The system user that the agent runs as."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from typing_extensions import override


class HasUser(FactBase[bool]):
    """Tells whether the user is known."""

    @override
    @staticmethod
    def default() -> bool:
        return False

    @override
    def command(self, user: str) -> StringCommand:
        return StringCommand("getent passwd", QuoteString(user), "|| true")

    @override
    def process(self, output: list[str]) -> bool:
        return bool(output)


@operation()
def system_user(user: str, home: str) -> Generator[StringCommand]:
    """Make `user` a system user with a group of the same name, and no way to log in."""
    if host.get_fact(HasUser, user=user):
        host.noop(f"{user} is there")
        return
    yield StringCommand(
        "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin --home-dir",
        QuoteString(home), QuoteString(user),
    )  # fmt: skip
