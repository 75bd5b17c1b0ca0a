"""What a failing command is turned into."""

import pytest

from tests.sandbox.shell import SandboxError, run
from tests.sandbox.together import together


def test_a_failed_command_tells_its_exit_code_and_last_words() -> None:
    with pytest.raises(SandboxError, match=r"sh -c .* ended with 3: it broke"):
        run(["sh", "-c", "echo it broke >&2; exit 3"])


def test_a_command_past_its_deadline_is_ended() -> None:
    with pytest.raises(SandboxError, match=r"no answer within 0.05 s from: sleep 60"):
        run(["sleep", "60"], deadline=0.05)


def test_a_missing_command_is_named() -> None:
    with pytest.raises(SandboxError, match="no-such-command is not installed on this machine"):
        run(["no-such-command"])


def test_bytes_go_through_unharmed() -> None:
    assert run(["cat"], stdin=b"\xff\0").raw == b"\xff\0"


def test_one_failure_among_calls_made_together_is_raised_after_all_ended() -> None:
    ended: list[str] = []

    def fail() -> None:
        raise SandboxError("no")

    with pytest.raises(SandboxError, match="no"):
        together(fail, lambda: ended.append("other"))
    assert ended == ["other"]
