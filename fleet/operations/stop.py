"""How an operation fails with a sentence instead of a stack trace."""

from pyinfra.api import QuoteString, StringCommand


def fail(sentence: str) -> StringCommand:
    """Return a command that shows `sentence` as this host's error and fails the operation."""
    return StringCommand("echo", QuoteString(sentence), ">&2; exit 1")
