"""The system user that the agent runs as."""

from collections.abc import Generator

from msgspec import Struct
from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from typing_extensions import override

NO_SHELL = "/usr/sbin/nologin"


class User(Struct, frozen=True, kw_only=True):
    """A user as passwd and group know it; `groups` beside its own."""

    home: str
    shell: str
    groups: tuple[str, ...] = ()


class KnownUser(FactBase[User | None]):
    """Looks a user up; None = there is none."""

    @override
    @staticmethod
    def default() -> User | None:
        return None

    @override
    def command(self, user: str) -> StringCommand:
        quoted = QuoteString(user)
        return StringCommand("getent passwd", quoted, "&& id -Gn", quoted, "|| true")

    @override
    def process(self, output: list[str]) -> User | None:
        if not output:
            return None
        name, _, _, _, _, home, shell = output[0].split(":")
        groups = sorted(set(" ".join(output[1:]).split()) - {name})
        return User(home=home, shell=shell, groups=tuple(groups))


@operation()
def system_user(user: str, home: str) -> Generator[StringCommand]:
    """Make `user` a system user with a group of the same name, no other, and no way to log in."""
    found = host.get_fact(KnownUser, user=user)
    if found is None:
        yield StringCommand(
            "useradd --system --user-group --no-create-home --shell",
            NO_SHELL, "--home-dir", QuoteString(home), QuoteString(user),
        )  # fmt: skip
    elif found == User(home=home, shell=NO_SHELL):
        host.noop(f"{user} is there")
    else:
        yield StringCommand(
            "usermod -g", QuoteString(user), "-G '' -s", NO_SHELL, "-d", QuoteString(home),
            QuoteString(user),
        )  # fmt: skip
