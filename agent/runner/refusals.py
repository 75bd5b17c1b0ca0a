"""What Docker's refusals mean: a table like those of the engines."""

from agent.engines import markers
from agent.engines.base import Ending
from agent.engines.markers import Marker
from agent.errors import ActionError, StokerError
from agent.reports import ExitClass
from agent.runner.dockerd import DockerLostError


class CannotStartError(StokerError):
    """The engine could not be started; carries the ending to report."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.message)
        self.ending = ending


REFUSALS = (
    Marker(
        "NoCdi",
        ExitClass.CONFIG,
        r"could not select device driver",
        "Docker cannot inject GPUs by CDI: it must be 28.2 or newer, or have "
        '"features": {{"cdi": true}} in daemon.json (25 or newer)',
    ),
    Marker(
        "CdiDeviceUnknown",
        ExitClass.GPU,
        r"unresolvable CDI devices? (?P<what>[^\n]{1,200})",
        "the CDI specification does not know {what}: systemctl restart nvidia-cdi-refresh; or a "
        "GPU is gone",
    ),
    Marker(
        "StuckProcess",
        ExitClass.GPU,
        r"did not receive an exit event|cannot be killed|PID \d+ is zombie",
        "a process of the former run cannot be killed: reset the GPU or reboot",
    ),
    Marker(
        "PortTaken",
        ExitClass.PORT,
        r"port is already allocated|address already in use",
        "the engine's port is taken by another process: {what}",
    ),
    Marker(
        "ImageRefused",
        ExitClass.AUTH,
        r"unauthorized|authentication required|pull access denied|no basic auth|denied:",
        "the registry refused the image: {what}",
    ),
    Marker(
        "DiskFull",
        ExitClass.CONFIG,
        r"no space left on device",
        "the disk of Docker's data directory is full",
    ),
    Marker(
        "ImageMissing",
        ExitClass.CONFIG,
        r"manifest unknown|manifest for .* not found|No such image|repository .* not found",
        "the registry does not have this image under this digest",
    ),
    Marker(
        "RegistryUnreachable",
        ExitClass.NETWORK,
        r"connection refused|no such host|i/o timeout|TLS handshake|x509:|EOF|"
        r"Client\.Timeout|server misbehaving|received unexpected HTTP status: 5",
        "the registry could not be reached: {what}",
    ),
    Marker(
        "BadMount",
        ExitClass.CONFIG,
        r"bind source path does not exist: (?P<what>\S+)",
        "the weights are not there: {what}; start stoker-weights@NAME first",
    ),
)


def meaning(error: ActionError) -> Ending:
    """Return the ending that an error of Docker amounts to."""
    text = str(error)
    if isinstance(error, DockerLostError):
        return Ending(kind=ExitClass.CRASH, reason="DockerLost", message=text)
    found = markers.find(REFUSALS, [text])
    return found or Ending(kind=ExitClass.CRASH, reason="DockerRefused", message=f"Docker: {text}")
