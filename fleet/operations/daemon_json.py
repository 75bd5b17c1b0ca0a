"""Docker's configuration, merged into the one that is there."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from agent.spec import HostSpec
from fleet import daemon
from fleet.facts.paths import Text
from fleet.operations.file import place
from fleet.operations.stop import fail

PATH = "/etc/docker/daemon.json"

# dockerd before 23.0 cannot validate; before it is installed nothing can.
_CHECK = (
    "sh -c 'command -v dockerd >/dev/null && dockerd --help | grep -q -- --validate || exit 0; "
    'dockerd --validate --config-file "$0"\''
)


@operation()
def daemon_json(spec: HostSpec) -> Generator[StringCommand]:
    """Lay our settings over what is there; keys that are not ours stay as they are."""
    try:
        content = daemon.text(host.get_fact(Text, path=PATH), spec)
    except daemon.DaemonError as error:
        yield fail(str(error))
        return
    yield from place(PATH, content, "644", "root:root", _CHECK)
