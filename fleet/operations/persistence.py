"""Persistence mode: the driver stays initialised while no program uses a GPU.

Ubuntu's nvidia-persistenced.service says --no-persistence-mode: a daemon that runs, and keeps
nothing. It is also static, started by udev and stopped when no device asks for it.
"""

import re
from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from agent.drift.manifest import Unit
from fleet import manifest
from fleet.facts.driver import DriverState
from fleet.facts.paths import Text
from fleet.facts.units import UnitStates, is_up
from fleet.operations.file import place
from fleet.operations.units import started

UNIT = "nvidia-persistenced.service"
FRAGMENT = f"/usr/lib/systemd/system/{UNIT}"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/stoker.conf"
VERIFY = (
    "! nvidia-smi --query-gpu=persistence_mode --format=csv,noheader | grep -v '^Enabled' || "
    "{ echo 'persistence mode stays off although nvidia-persistenced runs' >&2; exit 1; }"
)


def drop_in(fragment: str) -> str:
    """Return what turns the packages' unit into one that keeps persistence mode on, at every boot.

    Pure. `fragment` is the text of the unit as it was packaged.
    """
    [command] = re.findall(r"^ExecStart=(.*)$", fragment, re.MULTILINE) or [""]
    kept = " ".join(word for word in command.split() if word != "--no-persistence-mode")
    return (
        "# Written by Stoker.\n[Unit]\nStopWhenUnneeded=no\n\n"
        f"[Service]\nExecStart=\nExecStart={kept}\n\n[Install]\nWantedBy=multi-user.target\n"
    )


@operation()
def persistence_configured() -> Generator[StringCommand]:
    """Place the drop-in, and let systemd read it."""
    fragment = host.get_fact(Text, path=FRAGMENT)
    if "ExecStart=" not in fragment:
        host.noop(f"{UNIT} is not there")
        return
    yield from place(DROP_IN, drop_in(fragment), "644", "root:root")
    state = host.get_fact(UnitStates, names=[UNIT]).get(UNIT, {})
    if DROP_IN not in state.get("DropInPaths", "") or state.get("NeedDaemonReload") == "yes":
        yield StringCommand("systemctl daemon-reload")


@operation()
def persistence_on() -> Generator[StringCommand]:
    """Run the daemon, and start it again where a GPU does not persist; show that each does."""
    unit = host.get_fact(UnitStates, names=[UNIT]).get(UNIT, {})
    if unit.get("LoadState") == "not-found":  # a driver from elsewhere may come without it
        host.noop(f"{UNIT} is not there")
        return
    manifest.of(host).units[UNIT] = Unit(enabled=True, active=True)
    persistent = host.get_fact(DriverState).persistent
    good = bool(persistent) and all(persistent)
    enabled = unit.get("UnitFileState") == "enabled"
    if not enabled:
        yield StringCommand(f"systemctl enable {UNIT}")
    if not (is_up(unit) and good):
        yield started("restart", UNIT)
        yield StringCommand(VERIFY)
    if enabled and is_up(unit) and good:
        host.noop("persistence mode is on")
