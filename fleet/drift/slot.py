"""The fleet's leave to disturb traffic on this node, in the face of what other nodes do."""

from typing import Protocol


class Slot(Protocol):
    """Asked for once, before the first correction that restarts engines."""

    def take(self) -> str:
        """Take the slot; return why it cannot be had, empty when it is ours."""

    def leave(self) -> None:
        """Give it back."""


class NoSlot:
    """Where no fleet is asked: every node decides by itself."""

    def take(self) -> str:
        """See `Slot`."""
        return ""

    def leave(self) -> None:
        """See `Slot`."""
