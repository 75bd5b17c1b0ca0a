"""What lies in the state file: all that the agent remembers over its restarts and the host's."""

from collections.abc import Mapping

from agent.ladder import Attempt
from agent.model import EngineState, Value
from agent.slots import Slots
from agent.xid.ledger import Ledger


class NodeState(Value, frozen=True, kw_only=True):
    """The state of the node.

    `buses`: bus id → UUID of every GPU that was seen here, for faults of GPUs that are gone.
    """

    boot: str
    engines: dict[str, EngineState]
    ledger: Ledger = Ledger()
    attempts: tuple[Attempt, ...] = ()
    buses: Mapping[str, str] = {}
    slots: Slots = Slots()
