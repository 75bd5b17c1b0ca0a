"""Run one engine: `python -m agent.runner NAME`. Exit code 0 = stopped on request, else 1."""

import signal
import sys
import time

from agent import gpus, reports, spec
from agent.errors import GARBLED
from agent.outs import Outs
from agent.paths import Paths
from agent.reports import Exit, ExitClass
from agent.runner import caches
from agent.runner.inbox import QueueInbox
from agent.runner.run import Run, World
from agent.runner.sdk import DockerSdk
from agent.runner.watch import follow


def say(line: str) -> None:
    """Print a line to the journal; that nobody reads it must not stop an engine."""
    try:
        print(line, flush=True)
    except OSError:
        return


def main(name: str, paths: Paths) -> int:
    """Live one life of the engine; return the process's exit code."""
    try:
        host = spec.load(paths.spec.read_bytes())
    except (OSError, *GARBLED) as error:
        return _unreadable(name, paths, f"{paths.spec}: {error}")
    if name not in host.engines:
        known = ", ".join(host.engines)
        return _unreadable(name, paths, f"{paths.spec}: no engine {name!r}; there are {known}")
    inbox = QueueInbox()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: inbox.ask())
    signal.signal(signal.SIGQUIT, lambda *_: inbox.ask(haste=True))
    dockerd = DockerSdk()
    world = World(
        paths=paths,
        dockerd=dockerd,
        gpus=gpus.read,
        outs=Outs(paths.outs).read,
        inbox=inbox,
        say=say,
        follow=lambda container, line: follow(dockerd, container, line, inbox.ended),
        cache=lambda image, user: caches.prepare(paths.caches(name), image, user),
    )
    report = Run(name, host, world).live()
    say(f"stoker: engine {name} ended: {report.kind} {report.reason}: {report.message}")
    return 0 if report.kind is ExitClass.ASKED else 1


def _unreadable(name: str, paths: Paths, message: str) -> int:
    now = time.time()
    report = Exit(
        engine=name,
        digest="",
        kind=ExitClass.CONFIG,
        reason="SpecUnreadable",
        message=message,
        code=0,
        lines=(),
        started=now,
        ended=now,
    )
    reports.write(paths.exit(name), report)
    say(f"stoker: {message}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Paths()))
