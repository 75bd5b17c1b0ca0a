"""What the machine underneath knows of the world and a host needs too: apt settings, authorities.

Read when a host starts, so that no image and no commit carries the settings of one site.
"""

import os
from pathlib import Path

from tests.sandbox.archive import Entry
from tests.sandbox.shell import run

APT_PREFIXES = ("Acquire::http", "Acquire::https", "Acquire::Check-")
# Debian 12's pip has a list of authorities of its own, which knows no site's own.
PIP_SETTINGS = b"[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n"
CERTIFICATES = Path("/usr/local/share/ca-certificates")


def settings() -> dict[str, Entry]:
    """Give the files to lay into a host."""
    files = {
        "/etc/apt/apt.conf.d/90outer": Entry(apt_settings(_apt_dump()).encode()),
        "/etc/pip.conf": Entry(PIP_SETTINGS),
    }
    for certificate in sorted(CERTIFICATES.rglob("*.crt")):
        content = Entry(certificate.read_bytes())
        files[f"{CERTIFICATES}/outer-{certificate.name}"] = content
    return files


def proxies() -> list[str]:
    """Names of the proxy variables that are set here, for `docker --env NAME`."""
    names = ("http_proxy", "https_proxy", "no_proxy")
    return [name for lower in names for name in (lower, lower.upper()) if os.environ.get(name)]


def apt_settings(dump: str) -> str:
    """Keep of `apt-config dump` the settings on how the mirrors are reached."""
    lines = [line for line in dump.splitlines() if line.startswith(APT_PREFIXES)]
    return "".join(f"{line}\n" for line in lines)


def _apt_dump() -> str:
    return run(["apt-config", "dump"]).out
