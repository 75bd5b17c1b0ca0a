"""Log lines of the Python programs, as the launcher reads them from their stdout."""

import json


def log(message: str, level: str = "INFO") -> None:
    """One record of the serialising logger; the launcher turns it into a record of its own."""
    print(json.dumps({"text": message, "record": {"level": {"name": level}}}), flush=True)


def read(line: str) -> tuple[str, str] | None:
    """Level and message of such a line; None for anything else (the launcher drops it)."""
    try:
        parsed = json.loads(line)
        return parsed["record"]["level"]["name"], parsed["text"].rstrip()
    except (ValueError, KeyError, TypeError):
        return None
