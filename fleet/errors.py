"""What the deploy raises on purpose."""

from collections.abc import Iterable

from pyinfra.api.exceptions import DeployError


class RefusedError(DeployError):
    """The run is refused, and nothing was changed on any host. pyinfra shows it without a trace."""

    def __init__(self, problems: Iterable[str]) -> None:
        lines = sorted(problems)
        text = "\n".join(f"    {line}" for line in lines)
        super().__init__(f"refused, nothing was changed on any host:\n{text}")
