"""Who else may write what a check puts right again and again: other tools for the same work.

Looked at only when something comes back. It is a guess by what runs, or is called by cron and
timers, and by who names the path; so it is told as one.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

# What a process or an entry of cron says when it is that tool.
TOOLS = {
    "Puppet": ("puppet",),
    "Chef": ("chef-client", "cinc-client", "chef-solo"),
    "Salt": ("salt-minion", "salt-call"),
    "Ansible": ("ansible-pull", "ansible-playbook"),
    "CFEngine": ("cf-agent", "cf-execd"),
    "cloud-init": ("cloud-init",),
    "unattended-upgrades": ("unattended-upgrade",),
}
SCHEDULES = (
    "etc/crontab",
    "etc/cron.d/*",
    "etc/cron.hourly/*",
    "etc/cron.daily/*",
    "var/spool/cron/crontabs/*",
    "etc/systemd/system/*.service",
    "etc/rc.local",
)
OURS = "stoker"
PROGRAM = 4096  # bytes of a command line
ENTRY = 65536  # bytes of an entry


def suspects(operations: Iterable[str], root: Path = Path("/")) -> tuple[str, ...]:
    """Return a sentence for each that may be at work; best known first."""
    paths = {word for name in operations for word in name.split() if word.startswith("/")}
    return tuple(dict.fromkeys((*_naming(paths, root), *_running(root), *_scheduled(root))))


def _running(root: Path) -> Iterator[str]:
    for place in sorted((root / "proc").glob("[0-9]*/cmdline")):
        words = _text(place, PROGRAM).split("\0")[:3]  # an interpreter, its options, the program
        names = {word.rpartition("/")[2] for word in words}
        for tool, programs in TOOLS.items():
            if names & {*programs, *(f"{one}.py" for one in programs)}:
                yield f"{tool} runs here (process {place.parent.name})"


def _scheduled(root: Path) -> Iterator[str]:
    for place, text in _schedules(root):
        for tool, programs in TOOLS.items():
            if any(one in text for one in programs):
                yield f"{tool} is called by /{place}"


def _naming(paths: set[str], root: Path) -> Iterator[str]:
    for place, text in _schedules(root):
        for path in sorted(paths):
            if path in text:
                yield f"/{place} names {path}"


def _schedules(root: Path) -> Iterator[tuple[Path, str]]:
    for pattern in SCHEDULES:
        for place in sorted(root.glob(pattern)):
            if place.is_file() and not place.name.startswith(OURS):
                lines = _text(place, ENTRY).splitlines()
                yield place.relative_to(root), "\n".join(x for x in lines if not x.startswith("#"))


def _text(path: Path, most: int) -> str:
    try:
        with path.open("rb") as file:
            return file.read(most).decode(errors="replace")
    except OSError:
        return ""
