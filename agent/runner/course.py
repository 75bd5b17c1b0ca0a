"""What the runner does next: a pure function of where it is, what happened, and the time.

SERVING ─asked─► STOPPING ─late, or haste─► KILLING ─late─► ABANDONED        any ─ended─► ENDED
"""

from enum import StrEnum

import msgspec

from agent.runner.dockerd import State

# Not at once: killing what works on a GPU can wedge its firmware (NVIDIA/dcgm-exporter#84).
HASTE = 2.0  # seconds from SIGTERM to SIGKILL when no request in flight can finish
KILL_PATIENCE = 30.0  # seconds from SIGKILL until we give a process up that the kernel holds


class Stage(StrEnum):
    """Where the container is in its life, as far as we had a hand in it."""

    SERVING = "serving"
    STOPPING = "stopping"
    KILLING = "killing"
    ENDED = "ended"
    ABANDONED = "abandoned"


class Asked(msgspec.Struct, frozen=True):
    """Somebody asks us to stop. `haste`: no request in flight can finish, so none is waited for."""

    haste: bool = False


class Ended(msgspec.Struct, frozen=True):
    """Docker says that the container does not run; None = somebody removed it."""

    state: State | None


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """`pending` is the signal still to be sent, `deadline` the instant of losing patience."""

    stage: Stage = Stage.SERVING
    deadline: float | None = None
    pending: str | None = None
    asked: bool = False
    killed: bool = False
    state: State | None = None

    @property
    def over(self) -> bool:
        """True when there is nothing left to wait for."""
        return self.stage in {Stage.ENDED, Stage.ABANDONED}

    def sent(self) -> "Course":
        """Return the course after the pending signal was delivered."""
        return msgspec.structs.replace(self, pending=None)


def step(course: Course, event: Asked | Ended | None, now: float, patience: float) -> Course:
    """Return the next course. None = nothing happened; `patience` is from SIGTERM to SIGKILL."""
    replace = msgspec.structs.replace
    if isinstance(event, Ended):
        return replace(course, stage=Stage.ENDED, pending=None, state=event.state)
    if isinstance(event, Asked) and course.stage is Stage.SERVING:
        return replace(
            course,
            stage=Stage.STOPPING,
            deadline=now + (HASTE if event.haste else patience),
            pending="SIGTERM",
            asked=True,
        )
    if isinstance(event, Asked) and event.haste and course.stage is Stage.STOPPING:
        assert course.deadline is not None
        return replace(course, deadline=min(course.deadline, now + HASTE))
    if course.deadline is None or now < course.deadline:
        return course
    if course.stage is Stage.STOPPING:
        return replace(
            course,
            stage=Stage.KILLING,
            deadline=now + KILL_PATIENCE,
            pending="SIGKILL",
            killed=True,
        )
    return replace(course, stage=Stage.ABANDONED, pending=None)
