"""Who starts a container again: a unit of systemd. Compose names itself in the labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fleet.facts.foreign_look.command import run

SCRIPT = 64 * 1024  # bytes of a script that a unit starts, at most

Json = dict[str, Any]


def owner(name: str, directory: str, units: list[Json]) -> str:
    """Return the unit that starts container `name`, or the Compose project in `directory`."""
    word = rf"[\"']?{re.escape(name)}(?=[\s\"';]|$)"
    named = re.compile(rf"docker\b.*(\s--name[= ]{word}|\sstart(\s+-\S+)*\s+{word})")
    for unit in units:
        text = unit["command"].replace("\\\n", " ")
        places = [unit["directory"], *text.split()]
        composes = directory and re.search(r"docker[ -]compose", text)
        inside = any(place == directory or place.startswith(f"{directory}/") for place in places)
        if named.search(text) or (composes and inside):
            return str(unit["name"])
    return ""


def units() -> list[Json]:
    """Return the services that start something of Docker, with their commands or scripts."""
    asked = "Id,ExecStart,WorkingDirectory"
    return read(run("systemctl", "show", "*.service", "-p", asked) or "")


def read(shown: str) -> list[Json]:
    """Read what `systemctl show` says of services, and the scripts that they start."""
    found = []
    for block in shown.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        command = fields.get("ExecStart", "")
        path = re.search(r"path=(\S+)", command)
        text = command + "\n" + (script(Path(path[1])) if path else "")
        if "docker" in text:
            directory = fields.get("WorkingDirectory", "").lstrip("!-")
            found.append({"name": fields.get("Id", ""), "command": text, "directory": directory})
    return found


def script(path: Path) -> str:
    """Return the text of a script; empty for any other program."""
    try:
        with path.open("rb") as file:
            begin = file.read(SCRIPT)
    except OSError:
        return ""
    return begin.decode(errors="replace") if begin.startswith(b"#!") else ""
