"""How an operation fails with a sentence instead of a stack trace, and a roll stops."""

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand


def fail(sentence: str) -> StringCommand:
    """Return a command that shows `sentence` as this host's error and fails the operation."""
    return StringCommand("echo", QuoteString(sentence), ">&2; exit 1")


def failed_hosts() -> str:
    """Return the hosts of this run that have failed, after which no other may be disturbed."""
    state = host.state
    if not state.is_executing:
        return ""
    return ", ".join(sorted(h.name for h in state.failed_hosts if h in state.activated_hosts))
