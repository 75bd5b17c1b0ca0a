"""depot.json: what a fleet's depot serves and where, for those who configure a deploy."""

import json
import threading
from pathlib import Path
from typing import Any

_writing = threading.Lock()


class Description:
    """The file `path`; `fixed` are the entries that are always the same.

    Images (engine → pinned reference) and models (repository → commit) are added one by one.
    """

    def __init__(self, path: Path, fixed: dict[str, str]) -> None:
        self.path = path
        self._fixed = fixed

    def read(self) -> dict[str, Any]:
        """Give everything that is known."""
        there = json.loads(self.path.read_text()) if self.path.exists() else {}
        return {"images": {}, "models": {}, **there, **self._fixed}

    def set(self, key: str, value: str) -> None:
        """Write one entry."""
        with _writing:
            self._write({**self.read(), key: value})

    def add(self, section: str, key: str, value: str) -> None:
        """Write one entry of `section` ("images" or "models"), keeping the others."""
        with _writing:
            known = self.read()
            self._write({**known, section: {**known[section], key: value}})

    def _write(self, known: dict[str, Any]) -> None:
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.write_text(json.dumps(known, indent=2) + "\n")
        fresh.replace(self.path)
