import pytest

from agent.runner.course import HASTE, KILL_PATIENCE, Asked, Course, Ended, Stage, step
from agent.runner.dockerd import State

ENDED = Ended(State(running=False, code=3))


def test_serves_until_it_is_told_otherwise() -> None:
    assert step(Course(), None, 1e9, 10) == Course()


def test_a_request_sends_sigterm_and_sets_the_deadline() -> None:
    course = step(Course(), Asked(), 100, 10)
    assert (course.stage, course.pending, course.deadline) == (Stage.STOPPING, "SIGTERM", 110)
    assert course.asked
    assert not course.killed


def test_a_second_request_does_not_move_the_deadline() -> None:
    course = step(Course(), Asked(), 100, 10).sent()
    assert step(course, Asked(), 105, 10) == course


def test_in_haste_the_engine_gets_a_moment_and_no_more() -> None:
    hasty = step(Course(), Asked(haste=True), 100, 600)
    assert (hasty.stage, hasty.pending, hasty.deadline) == (Stage.STOPPING, "SIGTERM", 100 + HASTE)
    assert step(hasty.sent(), None, 100 + HASTE, 600).pending == "SIGKILL"


@pytest.mark.parametrize(("at", "deadline"), [(200, 202), (699, 700)])
def test_haste_shortens_a_stop_under_way_and_never_lengthens_it(at: float, deadline: float) -> None:
    course = step(Course(), Asked(), 100, 600).sent()
    after = step(course, Asked(haste=True), at, 600)
    assert (after.stage, after.pending, after.deadline) == (Stage.STOPPING, None, deadline)
    assert step(after, Asked(), at + 0.5, 600) == after  # and nobody takes it back


def test_haste_does_not_delay_what_is_being_killed() -> None:
    killing = step(step(Course(), Asked(), 100, 10).sent(), None, 110, 10).sent()
    assert step(killing, Asked(haste=True), 111, 10) == killing
    assert step(killing, Asked(haste=True), 110 + KILL_PATIENCE, 10).stage is Stage.ABANDONED


def test_from_sigterm_to_sigkill_to_giving_up() -> None:
    course = step(Course(), Asked(), 100, 10).sent()
    assert step(course, None, 109.9, 10) == course
    killing = step(course, None, 110, 10)
    assert (killing.stage, killing.pending, killing.killed) == (Stage.KILLING, "SIGKILL", True)
    abandoned = step(killing.sent(), None, 110 + KILL_PATIENCE, 10)
    assert abandoned.stage is Stage.ABANDONED
    assert abandoned.over


@pytest.mark.parametrize(
    "before",
    [
        Course(),
        step(Course(), Asked(), 100, 10),
        step(step(Course(), Asked(), 100, 10), None, 110, 10),
    ],
)
def test_an_end_ends_everything_and_keeps_what_was_asked(before: Course) -> None:
    after = step(before, ENDED, 105, 10)
    assert after.over
    assert after.pending is None
    assert after.state == ENDED.state
    assert (after.asked, after.killed) == (before.asked, before.killed)


def test_a_signal_that_was_not_delivered_stays_pending_until_the_next_one() -> None:
    course = step(Course(), Asked(), 100, 10)
    assert step(course, None, 101, 10).pending == "SIGTERM"
    assert step(course, None, 110, 10).pending == "SIGKILL"
