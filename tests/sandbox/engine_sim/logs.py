"""Log records as the Rust programs write them: JSON with --json-output, else plain text."""

import json
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

_LOCK = threading.Lock()


@dataclass(frozen=True)
class Log:
    """Writes one record a line."""

    target: str
    as_json: bool
    flat: bool = False
    """True puts the message at the top of the record (router), False under "fields" (launcher)."""
    stream: TextIO = field(default_factory=lambda: sys.stdout)

    def info(self, message: str, **span: str | int) -> None:
        """An INFO record; the keywords describe the span it belongs to."""
        self._write("INFO", message, span)

    def warn(self, message: str, **span: str | int) -> None:
        """A WARN record."""
        self._write("WARN", message, span)

    def error(self, message: str, **span: str | int) -> None:
        """An ERROR record."""
        self._write("ERROR", message, span)

    def record(self, level: str, message: str, **span: str | int) -> None:
        """A record of any level."""
        self._write(level, message, span)

    def raw(self, line: str) -> None:
        """Text of a child, as it is."""
        with _LOCK:
            self.stream.write(line + "\n")
            self.stream.flush()

    def _write(self, level: str, message: str, span: Mapping[str, str | int]) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if self.as_json:
            line = json.dumps(self._json(now, level, message, span), separators=(",", ":"))
        else:
            where = "".join(f"{key}={value} " for key, value in span.items())
            line = f"{now} {level:>5} {self.target}: {where}{message}"
        self.raw(line)

    def _json(
        self, now: str, level: str, message: str, span: Mapping[str, str | int]
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"message": message}
        if not self.flat:
            body = {"fields": body}
        record = {"timestamp": now, "level": level, **body, "target": self.target}
        if span:
            record |= {"span": dict(span), "spans": [dict(span)]}
        return record
