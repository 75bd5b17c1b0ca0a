"""Log lines as SGLang writes them: no level, and the rank where there are several."""

import time


class Log:
    """The logger of one process."""

    def __init__(self, rank: str = "") -> None:
        self._rank = f" {rank}" if rank else ""

    def say(self, message: str) -> None:
        """One record; only its first line has the head."""
        head = f"[{time.strftime('%Y-%m-%d %H:%M:%S')}{self._rank}]"
        print(f"{head} {message}", flush=True)
