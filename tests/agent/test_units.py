"""systemd through `systemctl`, with a stand-in for the program."""

from pathlib import Path

import pytest

from agent.errors import ActionError, SourceError
from agent.sources.units import Systemd

UNIT = "stoker-engine@main.service"


class Systemctl:
    """A `systemctl` that is first in PATH; it notes its arguments and runs `body`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def does(self, body: str) -> None:
        program = self.path / "systemctl"
        program.write_text(f'#!/bin/sh\necho "$@" >> {self.path}/asked\n{body}\n')
        program.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        return (self.path / "asked").read_text().splitlines()


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemctl:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return Systemctl(tmp_path)


@pytest.mark.parametrize(
    ("state", "running"),
    [
        ("active", True),
        ("activating", True),
        ("reloading", True),
        ("deactivating", True),  # its process may still be there
        ("inactive", False),
        ("failed", False),
    ],
)
async def test_running(systemctl: Systemctl, state: str, running: bool) -> None:
    systemctl.does(f"echo {state}")
    assert await Systemd().running(UNIT) is running
    assert systemctl.asked == [f"show --value --property=ActiveState {UNIT}"]


async def test_a_silent_systemd_is_a_source_that_cannot_be_read(systemctl: Systemctl) -> None:
    systemctl.does("echo 'Failed to connect to bus'; exit 1")
    with pytest.raises(SourceError, match="Failed to connect to bus"):
        await Systemd().running(UNIT)


async def test_acts(systemctl: Systemctl) -> None:
    systemctl.does("exit 0")
    await Systemd().restart(UNIT, 5.0)
    await Systemd().stop(UNIT, 5.0)
    assert systemctl.asked == [f"restart {UNIT}", f"stop {UNIT}"]


async def test_an_act_that_fails_says_why(systemctl: Systemctl) -> None:
    systemctl.does("echo 'Unit not found.'; exit 5")
    with pytest.raises(ActionError, match=f"systemctl restart {UNIT}: Unit not found"):
        await Systemd().restart(UNIT, 5.0)


async def test_an_act_that_never_ends_is_given_up(systemctl: Systemctl) -> None:
    systemctl.does("exec sleep 600")
    with pytest.raises(ActionError, match="no answer within"):
        await Systemd().stop(UNIT, 0.1)


async def test_no_systemd_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="systemctl cannot be run"):
        await Systemd().running(UNIT)
    with pytest.raises(ActionError, match="systemctl cannot be run"):
        await Systemd().stop(UNIT, 1.0)
