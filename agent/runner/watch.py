"""Following one container: its log and its end, over any restart of dockerd (live-restore).

That a stream broke means nothing; only what Docker says of the container's state counts.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from agent.runner.course import Ended
from agent.runner.dockerd import Dockerd, DockerLostError, DockerRefusedError, State

Pause = Callable[[float], None]
BACKOFF, BACKOFF_CAP = 0.5, 5.0  # seconds between two tries to reach dockerd
JUDGED = 2000  # lines: the cause of an ending can stand far above its last (SGLang dumps stacks)
LONGEST = 4000  # characters kept of one line
LAST_LINES = 5.0  # seconds for the log to catch up with the end


def await_end(dockerd: Dockerd, container: str, pause: Pause) -> State | None:
    """Block until Docker says that the container does not run; None when it is no more."""
    for delay in _delays():
        try:
            dockerd.wait(container)
            state = dockerd.state(container)
            if state is None or not state.running:
                return state
        except (DockerLostError, DockerRefusedError):
            pass  # it restarts; live-restore keeps the container
        pause(delay)
    raise AssertionError  # the delays never end


def follow_log(dockerd: Dockerd, container: str, emit: Callable[[str], None], pause: Pause) -> None:
    """Emit every line of the container's log once, in order, until the container has ended."""
    seen = ""  # timestamps have one fixed width, so they compare as text
    for delay in _delays():
        resume = seen
        try:
            for stamp, line in dockerd.lines(container, resume):
                if stamp > resume:
                    emit(line)
                    seen = max(seen, stamp)
            state = dockerd.state(container)
            if state is None or not state.running:
                return
        except (DockerLostError, DockerRefusedError):
            pass
        pause(delay)


def follow(
    dockerd: Dockerd,
    container: str,
    line: Callable[[str], None],
    ended: Callable[[Ended], None],
    pause: Pause = time.sleep,
) -> Callable[[], None]:
    """Start two threads that follow the container; return how to wait for its last lines."""

    def wait() -> None:
        ended(Ended(await_end(dockerd, container, pause)))

    def read() -> None:
        follow_log(dockerd, container, line, pause)

    log = threading.Thread(target=read, daemon=True)
    log.start()
    threading.Thread(target=wait, daemon=True).start()
    return lambda: log.join(LAST_LINES)


class Tail:
    """The last lines of a log, each cut at a sane length."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=JUDGED)

    def add(self, line: str) -> None:
        """Remember one more line and forget the oldest."""
        self._lines.append(line[:LONGEST])

    def last(self, count: int = JUDGED) -> tuple[str, ...]:
        """Return the last `count` lines, oldest first."""
        return tuple(self._lines)[-count:]


def _delays() -> Iterator[float]:
    delay = BACKOFF
    while True:
        yield delay
        delay = min(2 * delay, BACKOFF_CAP)
