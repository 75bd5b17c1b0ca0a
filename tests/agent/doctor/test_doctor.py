"""The doctor as a whole: deadlines, order, text, exit codes; and this machine as a node."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent.doctor import command, text
from agent.doctor.examinations import EXAMINATIONS
from agent.doctor.examinations.engines import AgentSays, Engines
from agent.doctor.examine import examine
from agent.doctor.finding import Finding, Severity, fault, note, unknown, warning
from agent.doctor.real import RealNode
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.model import AGENT, EngineState, Phase
from agent.snapshot import Snapshot
from agent.spec import HostSpec
from tests.agent.doctor.fakes import NOW, FakeNode, found, told
from tests.agent.shown import condition, incident, snapshot
from tests.fleet.samples import spec


class Finds:
    """An examination that finds what it is given, or raises it."""

    def __init__(self, name: str, finding: Finding | Exception, after: float = 0.0) -> None:
        self.name, self._finding, self._after = name, finding, after

    def read(self, seen: Seen, spec: HostSpec | None, /) -> None:
        time.sleep(self._after)
        if isinstance(self._finding, Exception):
            raise self._finding

    def judge(self, reading: None, spec: HostSpec | None, now: float, /) -> Iterator[Finding]:
        assert isinstance(self._finding, Finding)
        yield self._finding


def test_the_gravest_comes_first_and_what_hangs_or_breaks_is_unknown() -> None:
    begun = time.monotonic()
    made = examine(
        (
            Finds("a", note("n")),
            Finds("b", fault("f", "x")),
            Finds("c", SourceError("no sensor")),
            Finds("d", ValueError("oops")),
            Finds("e", warning("w", "x"), after=5),
            Finds("g", warning("v", "x")),
        ),
        Seen(FakeNode()),
        None,
        deadline=0.3,
    )
    assert time.monotonic() - begun < 2
    assert [(one.examination, one.severity, one.message) for one in made] == [
        ("b", "fault", "f"),
        ("g", "warning", "v"),
        ("c", "unknown", "no sensor"),
        ("d", "unknown", "this examination is broken: ValueError: oops"),
        ("e", "unknown", "no answer within 0 s"),
        ("a", "note", "n"),
    ]
    assert command.code(made) == 1
    assert command.code(made[2:]) == 0


def test_every_examination_has_a_name_of_its_own_and_survives_an_empty_node() -> None:
    names = [one.name for one in EXAMINATIONS]
    assert len(set(names)) == len(names)
    for wanted in (None, spec(driver_gpu_count=1)):
        made = examine(EXAMINATIONS, Seen(FakeNode()), wanted)
        assert [one.message for one in made if "is broken" in one.message] == []


def test_a_bare_host_has_no_fault() -> None:
    made = examine(EXAMINATIONS, Seen(FakeNode({"/proc/sys/net/ipv4/ip_forward": "1"})), None)
    assert [one for one in made if one.severity is Severity.FAULT] == []


def test_what_is_read_once_is_asked_once_and_its_failure_too() -> None:
    node = FakeNode({}, {"docker info": SourceError("hangs"), "docker ps": ""})
    seen = Seen(node)
    for _ in range(2):
        with pytest.raises(SourceError, match="hangs"):
            seen.docker()
        assert seen.containers() == ()
    assert node.ran == ["docker info --format {{json .}}", "docker ps -q --no-trunc"]


def test_the_text_says_the_same_once_and_hides_notes() -> None:
    same = msgspec.structs.replace(fault("it is broken", "mend it"), examination="x")
    lone = msgspec.structs.replace(warning("w" * 60 + " " + "v" * 60, "f"), examination="y")
    blind = [
        msgspec.structs.replace(unknown("no driver"), examination=name) for name in ("ecc", "pcie")
    ]
    rest = msgspec.structs.replace(note("by the way"), examination="z")
    shown = text.render({"a": [same, lone, rest], "b": [same, *blind]}, notes=False, colour=False)
    assert shown.splitlines() == [
        "fault   x: it is broken [a, b]",
        "          fix: mend it",
        f"warning y: {'w' * 60}",
        f"          {'v' * 60} [a]",
        "          fix: f",
        "unknown ecc, pcie: no driver [b]",
        "2 faults, 1 warning, 2 not looked at (1 note: --all)",
    ]
    assert "by the way" in text.render({"a": [rest]}, notes=True, colour=False)
    assert (
        text.render({"a": [rest]}, notes=False, colour=False) == "nothing is wrong (1 note: --all)"
    )
    assert text.render({"a": []}, notes=True, colour=True) == "nothing is wrong"
    assert text.render({"a": [same]}, notes=True, colour=True).startswith("\x1b[31mfault   \x1b[0m")


def engine(**state: object) -> Snapshot:
    made = snapshot()
    [name] = list(made.engines)[:1]
    view = made.engines[name]
    changed = msgspec.structs.replace(
        view,
        state=EngineState(since=NOW - 60, reason="Why", message="told", **state),  # type: ignore[arg-type]
    )
    return msgspec.structs.replace(
        made, engines={"main": changed}, incidents=(), conditions=(), checks_unknown=()
    )


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"phase": Phase.SERVING}, ""),
        ({"phase": Phase.QUARANTINED}, "fault: engine main is quarantined (Why: told)"),
        ({"phase": Phase.DRAINED, "by": AGENT}, "fault: engine main is drained (Why: told)"),
        ({"phase": Phase.DRAINED, "by": "anna"}, "warning: engine main is drained, by anna: told"),
        ({"phase": Phase.STARTING}, "note: engine main has been starting for 60 s (Why: told)"),
    ],
)
def test_engines(state: dict[str, object], said: str) -> None:
    node = FakeNode({}, {"systemctl show": "ActiveState=active\n"}, snapshot=engine(**state))
    findings = told(found(Engines(), node, spec()))
    assert "".join(findings) == said


def test_an_engine_that_nobody_tells_of() -> None:
    node = FakeNode({}, {"systemctl show": "ActiveState=inactive\n"})
    assert "does not run, and no agent tells why" in told(found(Engines(), node, spec()))[0]
    up = FakeNode({}, {"systemctl show": "ActiveState=active\n"})
    assert found(Engines(), up, spec()) == []
    assert found(AgentSays(), up, spec()) == []


def test_incidents_and_conditions_that_nothing_else_looks_at() -> None:
    made = snapshot(
        incidents=(incident("i-7"),),
        conditions=(condition(check="nvlink", message="links are down"), condition(check="clock")),
        checks_unknown=("kernel_log",),
    )
    findings = told(found(AgentSays(), FakeNode(snapshot=made), spec()))
    assert findings[0] == "warning: incident i-7 is open"
    assert "links are down" in findings[1]
    assert findings[2:] == ["note: the agent cannot look at: kernel_log"]


def test_it_needs_root(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(as_json=False, notes=False, is_root=lambda: False) == 2
    assert "sudo" in capsys.readouterr().err


def test_a_spec_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    made = command.report(FakeNode({str(path): "{}"}), path)
    assert made.findings[0].examination == "spec"
    assert "cannot be read" in made.findings[0].message


def test_this_machine_as_a_node(tmp_path: Path) -> None:
    node, file = RealNode(), tmp_path / "file"
    file.write_text("text\n" * 100_000)
    file.chmod(0o640)
    assert node.text(str(file)) == "text\n" * 100_000
    assert node.text(str(tmp_path / "none")) is None
    assert node.text(str(file / "below")) is None
    with pytest.raises(SourceError):
        node.text(str(tmp_path))
    look = node.look(str(file))
    assert look
    assert (look.mode, look.user, look.directory) == (0o640, os.getuid(), False)
    tmp_path.chmod(stat.S_IRWXU)
    shut = node.look(str(file))
    assert shut
    assert shut.shut
    assert node.look(str(tmp_path / "none")) is None
    assert node.paths(f"{tmp_path}/*") == [str(file)]
    space = node.space(str(tmp_path))
    assert space
    assert 0 < space.free <= space.total
    assert node.space(str(tmp_path / "none")) is None


def test_programs_on_this_machine() -> None:
    node = RealNode()
    ran = node.run(sys.executable, "-c", "import sys; print(1); sys.exit(3)")
    assert ran
    assert (ran.code, ran.out) == (3, "1\n")
    assert node.run("/no/such/program") is None
    begun = time.monotonic()
    with pytest.raises(SourceError, match="no answer within 0 s"):
        node.run(sys.executable, "-c", "import time; time.sleep(60)", seconds=0.3)
    assert time.monotonic() - begun < 5
