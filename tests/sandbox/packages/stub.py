"""The common form of a stub package. Pure."""

from collections.abc import Mapping

from tests.sandbox.archive import Entry
from tests.sandbox.packages.deb import Package


def stub(
    name: str,
    version: str,
    *,
    depends: str = "",
    conflicts: str = "",
    files: Mapping[str, Entry] | None = None,
    scripts: Mapping[str, str] | None = None,
) -> Package:
    """Give a package whose control data say that it only stands in for the real one."""
    control = {
        "Package": name,
        "Version": version,
        "Architecture": "amd64",
        "Maintainer": "Stoker sandbox <root@localhost>",
        "Section": "admin",
        "Priority": "optional",
        **({"Depends": depends} if depends else {}),
        **({"Conflicts": conflicts, "Replaces": conflicts} if conflicts else {}),
        "Description": f"stand-in for {name} on simulated hosts",
    }
    return Package(control, files or {}, scripts or {})


def enable(unit: str) -> dict[str, str]:
    """Give the scripts that enable and start `unit`, as packages on Debian do.

    One that does not start is no reason to leave the package half installed.
    """
    start = f"""#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
deb-systemd-helper enable {unit}
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl restart {unit} || true
fi
"""
    stop = f"""#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
if [ -d /run/systemd/system ]; then systemctl stop {unit}; fi
"""
    forget = f"""#!/bin/sh
set -e
if [ "$1" = purge ]; then deb-systemd-helper purge {unit}; fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
"""
    return {"postinst": start, "prerm": stop, "postrm": forget}
