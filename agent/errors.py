"""Everything the agent raises on purpose.

StokerError
├── SpecError      the desired configuration is wrong; the message names the key
├── SourceError    a source could not be read; becomes a result UNKNOWN, never a restart
└── ActionError    an act on the outside world failed; logged, and tried again by the next tick
"""

# What decoding raises on bytes that are not what they should be, beside `msgspec.DecodeError`, a
# ValueError: no UTF-8 at all, or nested too deep. Others write files, sockets and answers.
GARBLED = (ValueError, RecursionError)


class StokerError(Exception):
    """Root of all errors raised on purpose; its text is written for an operator."""


class SpecError(StokerError):
    """The configuration is wrong: the text names the key, the value and what would be right."""


class SourceError(StokerError):
    """A source could not be read (timeout, refused, garbled)."""


class ActionError(StokerError):
    """An act on the outside world (unit, gate, container) failed."""


class NoSlotError(ActionError):
    """It takes an engine out of service, and the fleet brake has granted no slot (yet)."""


class NotSavedError(ActionError):
    """It could not be remembered, and so was not done."""
