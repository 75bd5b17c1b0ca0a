"""How the launcher ends when it ends badly: exit code 1 and the error's name on stderr."""


class LauncherError(Exception):
    """The launcher's own error; printed as ``Error: <text>``, exit code 1 whatever it is."""


def argument_validation(message: str) -> LauncherError:
    """The flags contradict each other."""
    return LauncherError(f'ArgumentValidation("{message}")')


def not_enough_devices(message: str) -> LauncherError:
    """Sharding was asked for and the GPUs are not there."""
    return LauncherError(f'NotEnoughCUDADevices("{message}")')


DOWNLOAD_ERROR = "DownloadError"
SHARD_CANNOT_START = "ShardCannotStart"
SHARD_FAILED = "ShardFailed"
WEBSERVER_FAILED = "WebserverFailed"
