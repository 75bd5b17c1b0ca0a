"""`pyinfra INVENTORY deploy.py -y` as a child, followed by its events: the edge of `stoker deploy`.

What pyinfra prints goes to a file below `.stoker/deploys/`. The child is all there is to a deploy:
when this process dies, it goes on; Ctrl-C and SIGTERM stop it as they stop pyinfra.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gevent import sleep
from msgspec import Struct

from fleet.commands.shown import WIDTH, colours, plain
from fleet.render import ROOT
from fleet.run import events, watch
from fleet.run.events import AnyEvent, Ended, Said
from fleet.run.progress import Progress, begin, fold
from fleet.run.screen import line, screen, still

LOGS = ROOT / ".stoker" / "deploys"
KEPT = 40  # files there
TICK = 0.25  # seconds between two looks
TAIL = 25  # lines of the log, when the run has not told its end


class Given(Struct, frozen=True, kw_only=True):
    """What to deploy; `limit` empty = all hosts of the inventory."""

    inventory: str
    hosts: tuple[str, ...]
    limit: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    plan: str = ""


class Done(Struct, frozen=True, kw_only=True):
    """How it ended; `end` None = the run told none, and `tail` has the last lines of its log."""

    code: int
    end: Ended | None
    log: Path
    tail: tuple[str, ...]
    seconds: float


class Feed:
    """The events of a run, read from the file that it appends to."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def new(self) -> Iterator[AnyEvent]:
        """Yield what came since the last look; half a line is left for the next."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        return events.lines(whole)


class Shown:
    """A run on stderr: a screen that changes on a terminal, else a line for what is worth one."""

    def __init__(self, title: str, hosts: tuple[str, ...]) -> None:
        self._title, self._begun = title, time.time()
        self.run: Progress = begin(hosts, self._begun)
        self._live = sys.stderr.isatty()
        self._drawn, self._heard = 0, self._begun

    def hear(self, event: AnyEvent) -> None:
        """Take an event in."""
        self.run = fold(self.run, event)
        self._heard = time.time()
        said = line(self.run, event)
        if said and (not self._live or isinstance(event, Said)):
            self.clear()
            self._print(said)

    def tick(self) -> None:
        """Show how things stand."""
        now = time.time()
        if self._live:
            size = shutil.get_terminal_size((WIDTH, 24))
            text = screen(
                self.run, self._title, self._begun, now,
                rows=size.lines, colour=colours(sys.stderr),
            )  # fmt: skip
            self.clear()
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
            self._drawn = text.count("\n") + 1
        elif said := still(self.run, now, self._heard):
            self._print(said)
            self._heard = now

    def clear(self) -> None:
        """Take the screen away again."""
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _print(self, said: str) -> None:
        print(f"{time.strftime('%H:%M:%S')}  {said}", file=sys.stderr, flush=True)


def run(given: Given) -> Done:
    """Deploy, show, and return how it ended."""
    log, feed = _files()
    shown = Shown(f"deploy of {given.inventory}", given.hosts)
    end: Ended | None = None
    begun = time.monotonic()
    with log.open("wb") as file, _started(given, feed, file.fileno()) as process:
        told = Feed(feed)
        while True:
            code = process.poll()
            for event in told.new():
                shown.hear(event)
                end = event if isinstance(event, Ended) else end
            if code is not None:
                break
            shown.tick()
            _pause(process)
    shown.clear()
    tail = last_words(log.read_text(errors="replace"))
    return Done(code=code, end=end, log=log, tail=tail, seconds=time.monotonic() - begun)


def last_words(text: str) -> tuple[str, ...]:
    """Return why pyinfra ended, from what it printed: its last error, or its last lines. Pure."""
    lines = [plain(line) for line in text.splitlines() if line.strip()][-TAIL:]
    errors = [n for n, line in enumerate(lines) if line.startswith("-->") and "rror" in line]
    return tuple(lines[errors[-1] :] if errors else lines)


def _pause(process: "subprocess.Popen[bytes]") -> None:
    try:
        sleep(TICK)
    except KeyboardInterrupt:  # of a terminal, which the child has got too: it gives locks back
        print("stopping: the hosts are given back …", file=sys.stderr)
        process.wait()


def command(given: Given) -> list[str]:
    """Return the command of pyinfra. Pure."""
    here = Path.cwd() == ROOT
    words = [sys.executable, "-m", "pyinfra", given.inventory]
    words += ["deploy.py"] if here else [str(ROOT / "deploy.py"), "--config", f"{ROOT}/config.py"]
    words += ["-y"]
    words += [word for name in given.limit for word in ("--limit", name)]
    return words + [word for one in given.data for word in ("--data", one)]


@contextmanager
def _started(given: Given, feed: Path, out: int) -> Iterator["subprocess.Popen[bytes]"]:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    process = subprocess.Popen(
        command(given),
        env={
            **os.environ,
            "PYINFRA_PROGRESS": "off",
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "PYTHONUNBUFFERED": "1",
            events.VARIABLE: str(feed.resolve()),
            watch.PLAN: given.plan,
        },
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
    )
    former = signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
    try:
        yield process
    finally:
        signal.signal(signal.SIGTERM, former)


def _files() -> tuple[Path, Path]:
    """Return fresh files for the log and the events; old ones go."""
    LOGS.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted(LOGS.iterdir())[:-KEPT]:
        path.unlink(missing_ok=True)
    name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
    log, feed = LOGS / f"{name}.log", LOGS / f"{name}.jsonl"
    feed.touch(mode=0o600)
    return log, feed
