"""What the end of a course means, as exit code and ending. Pure."""

from collections.abc import Sequence

from agent.engines.base import Ending, Engine
from agent.engines.markers import KILLED
from agent.reports import ExitClass
from agent.runner.course import Course, Stage


def verdict(course: Course, adapter: Engine, lines: Sequence[str]) -> tuple[int, Ending]:
    """Say with which code and why the engine ended; `lines` are its last ones."""
    code = course.state.code if course.state else KILLED
    if course.asked:
        return code, _asked(course)
    if course.state is None:
        return code, _crash("Removed", "somebody removed the engine's container")
    if course.state.oom:
        message = "the engine used more host memory than memory_gib, or than the host has"
        return code, _crash("HostMemory", message)
    return code, adapter.classify(code, lines)


def _asked(course: Course) -> Ending:
    reason, message = "Asked", "stopped on request"
    if course.stage is Stage.ABANDONED:
        reason = "Abandoned"
        message = "stopped on request, but the kernel still holds its process: reboot"
    elif course.killed:
        reason = "Killed"
        message = "stopped on request; it did not end by its deadline and was killed"
    return Ending(kind=ExitClass.ASKED, reason=reason, message=message)


def _crash(reason: str, message: str) -> Ending:
    return Ending(kind=ExitClass.CRASH, reason=reason, message=message)
