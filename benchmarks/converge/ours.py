"""The work by our operations, looked at as `deploy.py` has it looked at."""

import sys
from pathlib import Path

import jinja2
from pyinfra import host
from pyinfra.api.hiddenvalue import HiddenValue

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.converge import work
from fleet import rehearsal
from fleet.operations.directories import directories
from fleet.operations.file import file
from fleet.operations.link import absent, link
from fleet.operations.manifest import manifest
from fleet.operations.packages import packages
from fleet.operations.secret_file import secret_file
from fleet.operations.units import unit_known, unit_up
from fleet.operations.user import system_user

templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - these are configuration files, not HTML
)


def content(path: str, template: str) -> str:
    """Render the file at `path`."""
    return templates.get_template(template).render(which=path, number=work.number(path))


rehearsal.before_first(host.state)
packages(name="install", names=work.PACKAGES)
packages(name="install and hold", names=work.HELD, hold=True)
for user, home in host.loop(work.USERS.items()):
    system_user(name=f"add user {user}", user=user, home=home)
wanted = {path: (mode, "root:root") for path, mode in work.DIRECTORIES.items()}
directories(name="make directories", wanted=wanted | {"/var/lib/stoker": ("755", "root:root")})
for path, (template, mode) in host.loop(work.TEMPLATES.items()):
    file(name=f"place {path}", path=path, content=content(path, template), mode=mode)
for path, (template, _) in host.loop(work.SECRETS.items()):
    hidden = HiddenValue(content(path, template).strip())
    secret_file(name=f"place {path}", path=path, content=hidden)
for path, target in host.loop(work.LINKS.items()):
    link(name=f"link {path}", path=path, target=target)
for path in host.loop(work.ABSENT):
    absent(name=f"remove {path}", path=path)
unit_known(name="read the units", units=work.UNITS)
for unit in host.loop(work.UNITS):
    unit_up(name=f"run {unit}", unit=unit)
manifest(name="write the manifest")
