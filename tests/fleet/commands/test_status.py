"""The screen of a fleet: from what the nodes' own programs print to lines and exit code."""

import json
import time

import msgspec

from agent.drift.report import Finding, Kind, Report
from agent.model import Phase
from fleet.commands import status
from fleet.commands.hosts import Answer
from fleet.commands.status_text import render, short
from tests.agent.shown import snapshot
from tests.agent.test_releases import release
from tests.fleet.commands.fakes import gone, good

FIXED = Finding(stage="gateway", operation="place x", kind=Kind.SAFE)
LEFT = msgspec.structs.replace(FIXED, left="a person does")


def printed(
    phase: Phase = Phase.SERVING, *, drift: Report | None = None, lock: object = None, late: int = 0
) -> str:
    agent = snapshot(phase, at=time.time() - late)
    parts = {
        "agent": msgspec.json.encode(agent).decode(),
        "releases": msgspec.json.encode((release(1), release(2, current=True))).decode(),
        "drift": msgspec.json.encode(drift).decode() if drift else "",
        "lock": json.dumps(lock) if lock else "",
        "maintenance": "",
        "now": str(int(time.time())),
    }
    return "\n".join(f"\nstoker-part:{name}\n{text}" for name, text in parts.items())


def shown(*answers: Answer, sort: str = "inventory") -> tuple[list[str], int]:
    made = status.fleet("prod.py", {one.host: one for one in answers})
    return render(made, time.time(), sort).splitlines(), status.code(made)


def test_a_line_an_engine_in_100_columns() -> None:
    lines, code = shown(good("gpu-1.rack-7.example.org", printed()))
    assert code == 0
    assert max(map(len, lines)) == 100
    assert lines[1].split() == [
        "gpu-1.rack-7.e…", "main", "SERVING", "a-model-with-quit…",
        "4", "1", "1/2", "-", "01-02", "00:00", "2", "min",
    ]  # fmt: skip
    assert lines[-1] == "1 host(s) · 1 of 1 engine(s) serve · 3 request(s) running"


def test_who_does_not_serve_is_told_with_the_reason() -> None:
    lines, code = shown(good("a", printed()), good("b", printed(Phase.QUARANTINED)))
    assert code == 1
    assert "! b: main QUARANTINED Test: a test" in lines


def test_a_silent_host_hides_no_other() -> None:
    lines, code = shown(gone("a"), good("b", printed()))
    assert code == 3
    assert lines[1].split()[:4] == ["a", "-", "NO", "ANSWER"]
    assert lines[2].split()[2] == "SERVING"
    assert "! a: cannot be reached over SSH: no answer" in lines


def test_a_host_where_nothing_was_deployed_says_so() -> None:
    out = (
        "\nstoker-part:agent\nsh: 1: /opt/stoker/venv/bin/stokerctl: not found\nstoker-part:now\n9"
    )
    lines, code = shown(good("a", out))
    assert code == 3
    assert "! a: nothing was deployed here yet" in lines


def test_an_agent_that_is_down_is_no_host_without_one() -> None:
    said = "stokerctl: the agent does not answer on /run/stoker/agent.sock ([Errno 2] No such file)"
    lines, _ = shown(good("a", f"\nstoker-part:agent\n{said}\nstoker-part:now\n9"))
    assert (
        "! a: the agent does not answer on /run/stoker/agent.sock ([Errno 2] No such file)" in lines
    )


def test_the_worst_first_if_wanted() -> None:
    answers = good("a", printed()), good("b", printed(Phase.DRAINED)), gone("c")
    assert [line.split()[0] for line in shown(*answers)[0][1:4]] == ["a", "b", "c"]
    assert [line.split()[0] for line in shown(*answers, sort="worst")[0][1:4]] == ["c", "b", "a"]


def test_drift_lock_and_a_loop_that_hangs() -> None:
    report = Report(at=time.time() - 7200, release="r", findings=(FIXED, LEFT))
    lock = {"by": "ann@desk", "reason": "deploy.py", "expires": time.time() + 60}
    text, _ = shown(good("a", printed(drift=report, lock=lock, late=60)))
    assert text[1].split()[7:9] == ["1", "left"]
    assert "! a: 1 thing(s) drifted and were left 2 h ago" in text
    assert "! a: ann@desk is at it (deploy.py)" in text
    assert any("the agent's loop does not turn" in line for line in text)
    over = {**lock, "expires": time.time() - 1}
    assert not any("is at it" in line for line in shown(good("a", printed(lock=over)))[0])


def test_what_is_the_same_on_many_hosts_is_said_once() -> None:
    answers = [good(name, printed(Phase.DRAINED)) for name in "abc"]
    notes = [line for line in shown(*answers)[0] if line.startswith("! ")]
    assert notes == ["! a, b, c: main DRAINED Test: a test"]


def test_hosts_of_one_deploy_show_the_same_release() -> None:
    assert short("20251128T020512Z-0123456789") == "11-28 02:05"
