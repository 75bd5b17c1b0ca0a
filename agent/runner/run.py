"""One life of an engine: prepare, start, follow, report."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from agent import reports
from agent.engines import ENGINES
from agent.engines.base import Ending
from agent.errors import ActionError
from agent.gpus import Gpu
from agent.outs import Placement
from agent.paths import Paths
from agent.reports import Exit, ExitClass, Started
from agent.runner import watch
from agent.runner.course import HASTE, Asked, Course, Stage, step
from agent.runner.dockerd import Dockerd, DockerLostError, DockerRefusedError
from agent.runner.inbox import Inbox
from agent.runner.prepare import Preparation, StopAskedError
from agent.runner.refusals import CannotStartError, meaning
from agent.runner.rendering import container_name
from agent.runner.verdict import verdict
from agent.spec import HostSpec, digest

REPORTED = 80  # last lines in the report
RETRY = 1.0  # seconds between two tries to deliver a signal


class World(msgspec.Struct, frozen=True, kw_only=True):
    """The runner's edges.

    `outs` says which GPUs may be taken.
    `follow(container, line)` starts to follow a container and returns how to wait for its last
    lines; its end reaches the inbox.
    `cache(image, user)` makes the directory in which that engine keeps what it compiled.
    """

    paths: Paths
    dockerd: Dockerd
    gpus: Callable[[], tuple[Gpu, ...]]
    outs: Callable[[], Placement]
    inbox: Inbox
    say: Callable[[str], None]
    follow: Callable[[str, Callable[[str], None]], Callable[[], None]]
    cache: Callable[[str, str], Path]
    wall: Callable[[], float] = time.time


class Run:
    """One life of the engine `name`."""

    def __init__(self, name: str, spec: HostSpec, world: World) -> None:
        self._name, self._spec, self._world = name, spec, world
        self._engine = spec.engines[name]
        self._adapter = ENGINES[self._engine.kind]
        self._tail = watch.Tail()
        self._started = world.wall()

    def live(self) -> Exit:
        """Run the engine until it ends; write the report of how it ended, and return it."""
        try:
            code, ending = self._serve()
        except StopAskedError as stop:
            code, ending = 0, Ending(kind=ExitClass.ASKED, reason="Asked", message=str(stop))
        except CannotStartError as refusal:
            code, ending = 0, refusal.ending
        finally:  # whatever happened: no engine runs without its runner
            self._clean()
        report = Exit(
            engine=self._name,
            digest=digest(self._engine),
            kind=ending.kind,
            reason=ending.reason,
            message=ending.message,
            code=code,
            lines=self._tail.last(REPORTED),
            started=self._started,
            ended=self._world.wall(),
        )
        reports.write(self._world.paths.exit(self._name), report)
        return report

    def _serve(self) -> tuple[int, Ending]:
        preparation = Preparation(
            self._name,
            self._spec,
            self._world.dockerd,
            self._world.gpus,
            self._world.outs,
            self._world.inbox,
            self._world.say,
            self._world.cache,
        )
        container, gpus = preparation.create()
        try:
            self._world.dockerd.start(container)
        except (DockerRefusedError, DockerLostError) as error:
            raise CannotStartError(meaning(error)) from error
        self._started = self._world.wall()
        started = Started(
            engine=self._name,
            digest=digest(self._engine),
            container=container,
            gpus=gpus,
            started=self._started,
            pid=self._pid(container),
        )
        reports.write(self._world.paths.started(self._name), started)
        caught_up = self._world.follow(container, self._line)
        course = self._steer(container)
        caught_up()
        return verdict(course, self._adapter, self._tail.last())

    def _pid(self, container: str) -> int | None:
        with suppress(DockerLostError, DockerRefusedError):
            return self._world.dockerd.main_process(container)
        return None

    def _steer(self, container: str) -> Course:
        patience = self._adapter.stop_deadline(self._engine)
        course = Course()
        while not course.over:
            if course.pending:
                course = self._deliver(container, course)
            event = self._world.inbox.next(self._timeout(course))
            if isinstance(event, Asked) and course.stage is Stage.SERVING:
                late = HASTE if event.haste else patience
                self._world.say(f"asked to stop: SIGTERM, and SIGKILL after {late:.0f} s")
            course = step(course, event, self._world.inbox.now(), patience)
        return course

    def _timeout(self, course: Course) -> float | None:
        if course.pending:
            return RETRY
        if course.deadline is None:
            return None
        return max(0.0, course.deadline - self._world.inbox.now())

    def _deliver(self, container: str, course: Course) -> Course:
        assert course.pending
        try:
            self._world.dockerd.signal(container, course.pending)
        except DockerLostError as error:
            self._world.say(f"{course.pending} not delivered, will try again: {error}")
            return course
        except DockerRefusedError:
            pass  # it has ended meanwhile: the watcher tells
        return course.sent()

    def _line(self, line: str) -> None:
        self._tail.add(line)
        self._world.say(line)

    def _clean(self) -> None:
        self._world.paths.started(self._name).unlink(missing_ok=True)
        with suppress(ActionError):  # the next run removes it first of all
            self._world.dockerd.remove(container_name(self._name))
