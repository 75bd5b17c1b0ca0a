"""A host that reboots: it goes away, it may still be on its way down, it comes back, or not."""

from typing import Any, cast

from pyinfra.api.host import Host
from pyinfra.connectors.util import CommandOutput, OutputLine

from fleet.operations.reboot import BOOT_ID, is_back


class Rebooting:
    """A host that is connected to again and again: a boot id, "" (no connection) or a break."""

    def __init__(self, *looks: str) -> None:
        self._looks = list(looks)
        self._now = ""
        self.connected, self.asked, self.said = True, list[str](), list[str]()

    def connect(self, *, show_errors: bool) -> None:
        assert not show_errors
        self._now = self._looks.pop(0) if self._looks else ""
        self.connected = bool(self._now)

    def disconnect(self) -> None:
        self.connected = False

    def run_shell_command(self, command: Any, **_: object) -> tuple[bool, CommandOutput]:
        if self._now == "broken":
            raise EOFError
        self.asked.append(command.get_raw_value())
        return True, CommandOutput([OutputLine("stdout", self._now)])

    def log_styled(self, text: str, **_: object) -> None:
        self.said.append(text)


def test_a_host_is_back_with_another_boot_id_and_a_boot_that_is_done() -> None:
    host = Rebooting("old", "broken", "", "", "new")
    assert is_back(cast("Host", host), "old", deadline=30, pause=0)
    assert host.asked == [BOOT_ID, BOOT_ID, "systemctl is-system-running --wait"]
    assert host.connected


def test_a_host_that_does_not_come_back_fails_with_a_sentence() -> None:
    host = Rebooting("old")
    assert not is_back(cast("Host", host), "old", deadline=0.05, pause=0)
    assert host.said == ["did not come back within 0 s after its reboot; look at its console"]
