"""The lock of a host: one holder at a time, whatever is asked in whatever order."""

import json
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent import hostlock
from agent.hostlock import BUSY, TTL, act, decide

A, B = {"token": "a", "by": "ann"}, {"token": "b", "by": "bob"}


def test_who_comes_second_is_told_who_has_it() -> None:
    held, code = decide(None, "take", A, 100)
    assert (code, held and held["expires"]) == (0, 100 + TTL)
    told, code = decide(held, "take", B, 101)
    assert (code, told and told["by"]) == (BUSY, "ann")


def test_a_beat_keeps_it_and_silence_loses_it() -> None:
    held, _ = decide(None, "take", A, 100)
    held, code = decide(held, "beat", A, 200)
    assert (code, held and held["since"]) == (0, 100)
    taken, code = decide(held, "take", B, 200 + TTL)
    assert (code, taken and taken["by"]) == (0, "bob")
    assert decide(taken, "beat", A, 201 + TTL) == (taken, BUSY)


def test_who_was_silent_too_long_beats_it_back_only_if_nobody_had_it_since() -> None:
    held, _ = decide(None, "take", A, 100)
    beaten, code = decide(held, "beat", A, 100 + TTL)  # the clock was set, or the network was down
    assert (code, beaten and beaten["expires"]) == (0, 100 + 2 * TTL)
    assert decide(None, "beat", A, 100 + TTL) == (None, BUSY)  # taken and given back meanwhile
    taken, _ = decide(held, "take", B, 100 + TTL)
    assert decide(taken, "beat", A, 101 + 2 * TTL) == (None, BUSY)


def test_nobody_gives_back_what_another_has() -> None:
    held, _ = decide(None, "take", A, 100)
    assert decide(held, "leave", B, 101) == (held, 0)
    assert decide(held, "leave", A, 101) == (None, 0)


def test_stealing_makes_the_former_holder_notice() -> None:
    held, _ = decide(None, "take", A, 100)
    stolen, code = decide(held, "steal", B, 101)
    assert (code, stolen and stolen["by"]) == (0, "bob")
    assert decide(stolen, "beat", A, 102) == (stolen, BUSY)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take", "beat", "leave"]),
            st.sampled_from("abc"),
            st.floats(0, TTL * 0.6),
        ),
        max_size=30,
    )
)
def test_never_two_believe_that_they_have_it(steps: list[tuple[str, str, float]]) -> None:
    there, now = None, 0.0
    until: dict[str, float] = {}  # until when each may believe it
    for verb, who, later in steps:
        now += later
        there, code = decide(there, verb, {"token": who, "by": who}, now)
        if verb == "leave":
            until.pop(who, None)
        elif code == 0:
            until[who] = now + TTL
        believers = [one for one, end in until.items() if now < end]
        assert len(believers) <= 1


def test_as_a_program_on_a_host_without_anything_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock.json"

    def run(verb: str, holder: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-", verb, str(path), json.dumps(holder)],
            input=Path(hostlock.__file__).read_text(),
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("take", A).returncode == 0
    refused = run("take", B)
    assert refused.returncode == BUSY
    told = json.loads(refused.stdout)
    assert told["by"] == "ann"
    assert "token" not in told
    assert run("leave", A).returncode == 0
    assert not path.exists()
    assert json.loads(run("beat", A).stdout) == {"by": "", "reason": "taken away"}


def test_what_was_done_is_written_down_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    line = json.dumps({"event": "deploy", "by": "ann"})
    assert hostlock.main(["take", str(path), json.dumps(A), line]) == 0
    assert hostlock.main(["take", str(path), json.dumps(B), line]) == BUSY
    [written] = (tmp_path / "deploys.jsonl").read_text().splitlines()
    found = json.loads(written)
    assert (found["event"], found["by"], found["current"]) == ("deploy", "ann", "")


def test_what_a_crash_has_cut_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    path.write_text('{"by": "an')
    _, code = act(path, "take", B, 5.0)
    assert code == 0
    assert json.loads(path.read_text())["by"] == "bob"
