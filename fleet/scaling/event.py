"""What is told of one decision: the environment of a command, the body of a webhook. Pure."""

from collections.abc import Mapping

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. `at` seconds since 1970; `hosts` serve the model, the least missed one first."""

    id: str
    at: float
    node: str  # the machine that tells; the receiver knows the word from the agents' events
    kind: str = "scale"
    model: str
    current: int
    desired: int
    reason: str
    hosts: tuple[str, ...]

    def body(self) -> bytes:
        """Return the JSON that is posted."""
        return msgspec.json.encode(self)

    def environment(self) -> Mapping[str, str]:
        """Return the variables that a command gets."""
        return {
            "STOKER_MODEL": self.model,
            "STOKER_DESIRED": str(self.desired),
            "STOKER_CURRENT": str(self.current),
            "STOKER_REASON": self.reason,
            "STOKER_HOSTS": " ".join(self.hosts),
            "STOKER_EVENT_ID": self.id,
        }
