"""The node's state in memory and on disk: changed here, and saved before anything relies on it."""

import logging
from typing import Any

import msgspec

from agent.errors import ActionError, SourceError
from agent.model import EngineState
from agent.state import NodeState
from agent.store import Store
from agent.xid import ledger

log = logging.getLogger("stoker.memory")


class Memory:
    """`state` is what is known now; it may be ahead of the disk until `save`."""

    def __init__(self, store: Store, boot: str) -> None:
        self._store, self.boot = store, boot
        self.state = NodeState(boot=boot, engines={})
        self._saved = self.state

    def load(self, unreadable: NodeState, now: float) -> NodeState:
        """Take up what was saved, and return it as it was saved.

        The boot is still the saved one, until all that a new boot asks for is done. A node without
        a state is new; one whose state cannot be read is taken as `unreadable`.
        """
        try:
            found = self._store.load() or NodeState(boot="", engines={})
        except SourceError as error:
            log.error("%s", error)
            found = unreadable
        fresh = ledger.booted(found.ledger, self.boot, now)
        self.state = msgspec.structs.replace(found, ledger=fresh)
        return found

    def change(self, **fields: Any) -> None:
        """Replace fields of the state."""
        self.state = msgspec.structs.replace(self.state, **fields)

    def put(self, name: str, state: EngineState) -> None:
        """Replace the state of one engine."""
        self.change(engines={**self.state.engines, name: state})

    def save(self) -> bool:
        """Write the state if it has changed; False (and a log line) when it cannot be written."""
        if self.state == self._saved:
            return True
        try:
            self._store.save(self.state)
        except ActionError as error:
            log.error("%s", error)
            return False
        self._saved = self.state
        return True
