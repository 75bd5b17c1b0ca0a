"""Which requests came in and what became of each, in a file that outlives the router.

STOKER_SIM_LEDGER names a directory in which it outlives the container too.
"""

import json
import os
from collections import Counter
from pathlib import Path

RECEIVED = "received"
STARTED = "started"
FINISHED = "finished"
REJECTED = "rejected"
FAILED = "failed"
DROPPED = "dropped"


class Ledger:
    """One line an event: a request's id and what happened to it."""

    def __init__(self, run_dir: Path) -> None:
        self._path = Path(os.environ.get("STOKER_SIM_LEDGER") or run_dir) / "requests.jsonl"

    def note(self, request_id: str, event: str) -> None:
        """Append one event; a single write, so that readers see whole lines."""
        with self._path.open("a") as file:
            file.write(json.dumps([request_id, event]) + "\n")

    def counts(self) -> dict[str, dict[str, int]]:
        """How often each event happened to each request id; requests without an id under ""."""
        found: dict[str, Counter[str]] = {}
        if self._path.exists():
            for line in self._path.read_text().splitlines():
                request_id, event = json.loads(line)
                found.setdefault(request_id, Counter())[event] += 1
        return {request_id: dict(events) for request_id, events in found.items()}
