"""The words of systemd on D-Bus: messages, signals to follow, and errors in words. Pure.

Source: org.freedesktop.systemd1(5), and systemd's src/core/dbus-manager.c and src/core/job.h.
"""

from typing import Any

from dbus_fast import Message, MessageFlag

from agent.sources.bus import DAEMON, RefusedError

SYSTEMD = "org.freedesktop.systemd1"
MANAGER, UNIT, JOB = f"{SYSTEMD}.Manager", f"{SYSTEMD}.Unit", f"{SYSTEMD}.Job"
PROPERTIES = "org.freedesktop.DBus.Properties"
ROOT = "/org/freedesktop/systemd1"
NO_SUCH_UNIT = f"{SYSTEMD}.NoSuchUnit"
GONE = f"{DAEMON}.Error.UnknownObject"

FROM_SYSTEMD = f"type='signal',sender='{SYSTEMD}'"
RULES = (
    f"type='signal',sender='{DAEMON}',member='NameOwnerChanged',arg0='{SYSTEMD}'",
    f"{FROM_SYSTEMD},interface='{MANAGER}',member='JobRemoved'",
    f"{FROM_SYSTEMD},interface='{MANAGER}',member='Reloading'",
)

UNSEEN = "unseen"
WELL = frozenset({"done", "skipped"})
ENDS = {
    "canceled": "another job took its place",
    "timeout": "it took longer than the unit allows",
    "failed": "the unit failed",
    "dependency": "a unit that it needs failed",
    UNSEEN: "nobody told how the job ended",
}
POLKIT = {
    f"{DAEMON}.Error.AccessDenied",
    f"{DAEMON}.Error.InteractiveAuthorizationRequired",
}


def message(path: str, interface: str, member: str, signature: str = "", *body: Any) -> Message:
    """Return a question to systemd. One that is away is not waited for by the bus."""
    return Message(
        destination=SYSTEMD,
        path=path,
        interface=interface,
        member=member,
        signature=signature,
        body=list(body),
        flags=MessageFlag.NO_AUTOSTART,
    )


def unit_path(unit: str) -> str:
    """Return where a unit is on the bus, loaded or not (sd_bus_path_encode(3))."""
    label = "".join(
        chr(byte)
        if chr(byte).isalnum() and not (at == 0 and chr(byte).isdigit())
        else f"_{byte:02x}"
        for at, byte in enumerate(unit.encode("ascii"))
    )
    return f"{ROOT}/unit/{label}"


def unit_rules(unit: str) -> tuple[str, ...]:
    """Return what to follow for one unit.

    A unit that has just been loaded is told of as new, whatever it does meanwhile; as changed only
    from then on (src/core/dbus-unit.c, bus_unit_send_change_signal).
    """
    return (
        f"{FROM_SYSTEMD},interface='{PROPERTIES}',path='{unit_path(unit)}',arg0='{UNIT}'",
        f"{FROM_SYSTEMD},interface='{MANAGER}',member='UnitNew',arg0='{unit}'",
    )


def in_words(refused: RefusedError) -> str:
    """Say for an operator why systemd or logind did not do it."""
    if refused.name in POLKIT:
        return f"polkit does not allow it ({refused}); see /etc/polkit-1/rules.d/50-stoker.rules"
    return str(refused)
