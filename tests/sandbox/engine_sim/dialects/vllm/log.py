"""Log lines as vLLM's loggers write them, each with the process it comes from."""

import os
import time


class Log:
    """The loggers of one process."""

    def __init__(self, process: str) -> None:
        self._prefix = f"({process} pid={os.getpid()}) "

    def say(self, place: str, message: str) -> None:
        """An INFO record; `place` is file:line."""
        self._write("INFO", place, message)

    def fail(self, place: str, message: str) -> None:
        """An ERROR record; every line of it has the record's head."""
        self._write("ERROR", place, message)

    def plain(self, text: str) -> None:
        """What is written past the loggers: a traceback, uvicorn's lines."""
        print("\n".join(self._prefix + line for line in text.splitlines()), flush=True)

    def _write(self, level: str, place: str, message: str) -> None:
        head = f"{level} {time.strftime('%m-%d %H:%M:%S')} [{place}] "
        self.plain("\n".join(head + line for line in message.splitlines()))
