"""The work by pyinfra's own operations."""

import sys
from pathlib import Path

from pyinfra import host
from pyinfra.facts.server import Command
from pyinfra.operations import apt, files, server, systemd

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from benchmarks.converge import work

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"

apt.packages(name="install", packages=[*work.PACKAGES, *work.HELD])


def not_held() -> bool:
    """Say whether a package is not held; pyinfra has no operation for that."""
    return not set(work.HELD) <= set((host.get_fact(Command, "apt-mark showhold") or "").split())


server.shell(name="hold", commands=[f"apt-mark hold {' '.join(work.HELD)}"], _if=not_held)
for user, home in work.USERS.items():
    server.group(name=f"add group {user}", group=user, system=True)
    server.user(  # noqa: S604 - the user's shell
        name=f"add user {user}",
        user=user,
        group=user,
        system=True,
        home=home,
        shell="/usr/sbin/nologin",
        create_home=False,
        ensure_home=False,
    )
for path, mode in work.DIRECTORIES.items():
    files.directory(name=f"make {path}", path=path, mode=mode, user="root", group="root")
for path, (template, mode) in {**work.TEMPLATES, **work.SECRETS}.items():
    files.template(
        name=f"place {path}",
        src=str(TEMPLATES / template),
        dest=path,
        mode=mode,
        user="root",
        group="root",
        create_remote_dir=False,  # it is there: saves a look at each
        which=path,
        number=work.number(path),
    )
for path, target in work.LINKS.items():
    files.link(name=f"link {path}", path=path, target=target)
for path in work.ABSENT:
    files.file(name=f"remove {path}", path=path, present=False)
for unit in work.UNITS:
    systemd.service(name=f"run {unit}", service=unit, running=True, enabled=True)
