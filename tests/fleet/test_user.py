"""The user that the agent runs as."""

import pytest

from fleet.operations.user import NO_SHELL, KnownUser, User, system_user
from tests.fleet.samples import FakeHost, commands

HOME = "/var/lib/stoker"
GOOD = User(home=HOME, shell=NO_SHELL)


def run(found: User | None) -> list[str]:
    host = FakeHost({KnownUser: found})
    return [
        one.get_raw_value() for one in commands(host, lambda: system_user._inner("stoker", HOME))
    ]


def test_what_is_known() -> None:
    passwd = f"stoker:x:993:993::{HOME}:{NO_SHELL}"
    assert KnownUser().process([passwd, "stoker"]) == GOOD
    assert KnownUser().process([passwd, "stoker docker adm"]) == User(
        home=HOME, shell=NO_SHELL, groups=("adm", "docker")
    )
    assert KnownUser().process([]) is None


def test_one_that_is_as_wanted_is_left() -> None:
    assert run(GOOD) == []
    assert run(None)[0].startswith("useradd --system")


@pytest.mark.parametrize(
    "found",
    [
        User(home=HOME, shell="/bin/bash"),
        User(home="/root", shell=NO_SHELL),
        User(home=HOME, shell=NO_SHELL, groups=("docker",)),
    ],
)
def test_more_than_it_should_have_is_taken_away(found: User) -> None:
    [one] = run(found)
    assert one == f"usermod -g stoker -G '' -s {NO_SHELL} -d {HOME} stoker"
