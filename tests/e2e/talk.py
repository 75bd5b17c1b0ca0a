"""A stream that is read in the background while something happens to its host."""

import threading
import time

from tests.e2e.world import wait_for
from tests.sandbox.gateway import Stream

RATE = 50  # tokens a second, the simulator's


class Talk:
    """One streamed completion, begun: a few tokens of it have come."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.pieces = 0
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        assert stream.status == 200
        self._thread.start()
        wait_for("first tokens", lambda: self.pieces >= 3, 10)

    @property
    def whole(self) -> bool:
        """Whether it came to its own end."""
        good = self._problem is None and self._stream.error is None
        return good and self._stream.finished

    def ends_whole(self, tokens: int) -> None:
        """Hold that it comes to its own end, with all that was asked for."""
        self._join(tokens / RATE + 20)
        assert self.whole, f"{self._problem!r}, {self._stream.error}"
        assert self.pieces >= tokens

    def is_cut(self, seconds: float) -> None:
        """Hold that it breaks off within that time, and does not look as if it were complete."""
        begun = time.monotonic()
        self._join(seconds)
        assert not self.whole, f"it came to its end after {time.monotonic() - begun:.1f} s"

    def _join(self, seconds: float) -> None:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"the stream does not end within {seconds:.0f} s"

    def _read(self) -> None:
        try:
            for _ in self._stream:
                self.pieces += 1
        except BaseException as problem:
            self._problem = problem
