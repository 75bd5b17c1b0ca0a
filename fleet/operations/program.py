"""The program's virtual environment on the node: a directory a version."""

from collections.abc import Generator
from hashlib import sha256

from pyinfra import host
from pyinfra.api import FileUploadCommand, StringCommand, operation

from agent.drift.manifest import File
from fleet import manifest
from fleet import program as control
from fleet.facts.paths import PathStates
from fleet.operations.stop import fail

# Its stamp comes last: what a run that dies leaves is laid again. The programs of before belong to
# releases, and go with them.
_LAY = r"""
set -e
tar=/var/tmp/stoker-program.tar; new=/opt/stoker/venvs/$stamp; bundle=$(mktemp -d)
trap 'rm -rf "$bundle" "$tar"' EXIT
echo "$sha256  $tar" | sha256sum -c --quiet
tar -C "$bundle" -xf "$tar"
python3 -m venv --clear "$new"
pip="$new/bin/python -m pip -q --disable-pip-version-check install --no-index"
$pip --require-hashes --find-links "$bundle/wheels" -r "$bundle/node.lock"
$pip --no-deps "$bundle"/stoker_agent-*.whl
echo "$stamp" >"$new/stamp"
"""


@operation()
def program(python: str) -> Generator[StringCommand | FileUploadCommand]:
    """Lay the program for a node with Python `python`."""
    stamp = control.stamp(python)
    path = f"/opt/stoker/venvs/{stamp}/stamp"
    digest = sha256(f"{stamp}\n".encode()).hexdigest()
    file = File(sha256=digest, mode="644", user="root", group="root")
    manifest.of(host).files[path] = file
    if host.get_fact(PathStates, paths=[path]) == {path: file}:
        host.noop(f"the program is {stamp}")
        return
    try:
        tar = control.bundle(python)
    except control.ProgramError as error:
        yield fail(str(error))
        return
    sha = sha256(tar.read_bytes()).hexdigest()
    yield FileUploadCommand(str(tar), "/var/tmp/stoker-program.tar")  # noqa: S108 - checked below
    yield StringCommand(f"umask 022; stamp={stamp}; sha256={sha};", _LAY)
