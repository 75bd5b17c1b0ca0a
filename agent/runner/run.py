"""One life of an engine: prepare, start, follow, report."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from agent import reports
from agent.engines import ENGINES
from agent.engines.base import Ending
from agent.errors import ActionError
from agent.gpus import Gpu
from agent.paths import Paths
from agent.reports import Exit, ExitClass, Started
from agent.runner import watch
from agent.runner.course import Asked, Course, Ended, Stage, step
from agent.runner.dockerd import Dockerd, DockerLostError, DockerRefusedError, State
from agent.runner.inbox import Inbox
from agent.runner.prepare import Preparation, StopAskedError
from agent.runner.refusals import CannotStartError, meaning
from agent.runner.rendering import container_name
from agent.spec import HostSpec, digest

REPORTED = 80  # last lines in the report
RETRY = 1.0  # seconds between two tries to deliver a signal
LAST_LINES = 5.0  # seconds for the log to catch up with the end

STOPPED = Ending(kind=ExitClass.ASKED, reason="Asked", message="stopped on request")


class World(msgspec.Struct, frozen=True, kw_only=True):
    """The runner's edges.

    `follow(container, line)` starts to follow a container and returns how to wait for its last
    lines; its end reaches the inbox.
    """

    paths: Paths
    dockerd: Dockerd
    gpus: Callable[[], tuple[Gpu, ...]]
    inbox: Inbox
    say: Callable[[str], None]
    follow: Callable[[str, Callable[[str], None]], Callable[[], None]]
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
        code = 0
        try:
            code, ending = self._serve()
        except StopAskedError as stop:
            ending = Ending(kind=ExitClass.ASKED, reason="Asked", message=str(stop))
        except CannotStartError as refusal:
            ending = refusal.ending
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
        self._clean()
        return report

    def _serve(self) -> tuple[int, Ending]:
        preparation = Preparation(
            self._name,
            self._spec,
            self._world.dockerd,
            self._world.gpus,
            self._world.inbox,
            self._world.say,
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
        )
        reports.write(self._world.paths.started(self._name), started)
        caught_up = self._world.follow(container, self._line)
        course = self._steer(container)
        caught_up()
        return self._judge(course)

    def _steer(self, container: str) -> Course:
        patience = self._adapter.stop_deadline(self._engine)
        course = Course()
        while not course.over:
            if course.pending:
                course = self._deliver(container, course)
            event = self._world.inbox.next(self._timeout(course))
            if isinstance(event, Asked) and course.stage is Stage.SERVING:
                self._world.say(f"asked to stop: SIGTERM, and SIGKILL after {patience:.0f} s")
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

    def _judge(self, course: Course) -> tuple[int, Ending]:
        state = course.state or State(running=False, code=137)
        if course.asked:
            return state.code, _asked(course)
        if course.state is None:
            message = "somebody removed the engine's container"
            return state.code, Ending(kind=ExitClass.CRASH, reason="Removed", message=message)
        if state.oom:
            message = "the engine used more host memory than memory_gib, or than the host has"
            return state.code, Ending(kind=ExitClass.CRASH, reason="HostMemory", message=message)
        return state.code, self._adapter.classify(state.code, self._tail.last())

    def _line(self, line: str) -> None:
        self._tail.add(line)
        self._world.say(line)

    def _clean(self) -> None:
        self._world.paths.started(self._name).unlink(missing_ok=True)
        with suppress(ActionError):  # the next run removes it first of all
            self._world.dockerd.remove(container_name(self._name))


def follow(
    dockerd: Dockerd,
    container: str,
    line: Callable[[str], None],
    ended: Callable[[Ended], None],
    pause: watch.Pause = time.sleep,
) -> Callable[[], None]:
    """Start two threads that follow the container; return how to wait for its last lines."""

    def wait() -> None:
        ended(Ended(watch.await_end(dockerd, container, pause)))

    def read() -> None:
        watch.follow_log(dockerd, container, line, pause)

    log = threading.Thread(target=read, daemon=True)
    log.start()
    threading.Thread(target=wait, daemon=True).start()
    return lambda: log.join(LAST_LINES)


def _asked(course: Course) -> Ending:
    if course.stage is Stage.ABANDONED:
        message = "stopped on request, but the kernel still holds its process: reboot"
        return Ending(kind=ExitClass.ASKED, reason="Abandoned", message=message)
    if course.killed:
        message = "stopped on request; it did not end by its deadline and was killed"
        return Ending(kind=ExitClass.ASKED, reason="Killed", message=message)
    return STOPPED
