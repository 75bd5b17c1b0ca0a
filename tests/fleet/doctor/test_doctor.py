"""`stoker doctor`: answers of hosts, this machine's files, the document, the codes."""

import json
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from agent.doctor.finding import Finding, Report, fault, note, warning
from agent.doctor.node import Look
from fleet.doctor import control, document
from fleet.doctor.answer import Answer, read
from fleet.doctor.clocks import clock
from fleet.facts.diagnosis import ABSENT, Diagnosis
from tests.agent.doctor.fakes import NOW, FakeNode, told
from tests.fleet.samples import spec

HELD = replace(warning("docker-ce: not held", "apt-mark hold docker-ce"), examination="holds")
NOTE = replace(note("by the way"), examination="topology")


def answer(*findings: Finding, at: float = NOW) -> Answer:
    report = Report(node="n", at=at, findings=findings, examined=1)
    return Answer(report=report, asked=NOW - 1, answered=NOW + 1)


def test_what_a_host_prints_is_read() -> None:
    report = Report(node="n", at=NOW, findings=(HELD,), examined=3)
    assert read(msgspec.json.encode(report).decode(), 1.0, 2.0) == Answer(
        report=report, asked=1.0, answered=2.0
    )


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (ABSENT, "has no doctor yet: deploy it first"),
        ("usage: …\nstokerctl: error: invalid choice: 'doctor'", "an older version is deployed"),
        ("Traceback\nImportError: x", "gives no report: ImportError: x"),
        ("", "it says nothing"),
    ],
)
def test_a_host_without_a_report_says_why(printed: str, said: str) -> None:
    made = read(printed, 0, 0)
    assert made.report is None
    assert said in made.problem


def test_the_document_puts_hosts_together_and_names_the_silent() -> None:
    made = document.document(
        "prod.py", [], {"a": answer(HELD), "b": answer(HELD, NOTE), "c": Answer(problem="is down")}
    )
    shown = document.render(made, notes=False, colour=False)
    assert shown.splitlines() == [
        "silent  c: is down",
        "warning holds: docker-ce: not held [a, b]",
        "          fix: apt-mark hold docker-ce",
        "2 warnings (1 note: --all)",
        "2 host(s) examined, 1 not",
    ]
    assert document.code(made) == 3


def test_codes() -> None:
    assert document.code(document.document("x", [], {"a": answer(NOTE)})) == 0
    assert document.code(document.document("x", [], {"a": answer(HELD)})) == 1
    here = replace(fault("f", "x"), examination="configuration")
    made = document.document("x", [here], {"a": answer()})
    assert document.code(made) == 1
    assert "[this machine]" in document.render(made, notes=False, colour=False)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (NOW, ""),
        (NOW + 5, ""),
        (NOW + 60, "fault: the clock is 59 s ahead of this machine's: one of the two is wrong"),
        (NOW - 60, "fault: the clock is 59 s behind this machine's: one of the two is wrong"),
    ],
)
def test_clocks_are_compared(at: float, said: str) -> None:
    assert "".join(told(clock(answer(at=at)))) == said
    assert list(clock(Answer(problem="down"))) == []


INVENTORY = "hosts = [('gpu-1', {'ssh_key': 'x', 'HF_TOKEN': 'hf_x', 'model_token_file': 't'})]\n"


def test_secrets_in_an_inventory_that_all_may_read() -> None:
    node = FakeNode({"prod.py": INVENTORY})
    [one] = control.findings(node, Path("prod.py"), [], [], NOW)
    assert one.message.startswith("prod.py holds HF_TOKEN and every user")
    assert "hf_x" not in one.message + one.fix
    node.looks["prod.py"] = Look(mode=0o600)
    assert control.findings(node, Path("prod.py"), [], [], NOW) == []


def test_what_validate_says_is_said_here_too() -> None:
    [one] = control.findings(FakeNode(), Path("prod.py"), [], ["gpu-1: agent_port: …"], NOW)
    assert (one.examination, one.severity) == ("configuration", "fault")


def test_certificates_on_this_machine_are_looked_at_once(tmp_path: Path) -> None:
    files = {"/tls.crt": "no certificate"}
    specs = [spec(gateway_tls_cert_file="/tls.crt")] * 2
    findings = control.findings(FakeNode(files), Path("prod.py"), specs, [], NOW)
    assert told(findings) == ["fault: /tls.crt holds no certificate in PEM"]


def test_the_fact_asks_for_a_document_and_never_fails() -> None:
    asked = Diagnosis().command()
    assert "doctor --json" in asked
    assert ABSENT in asked
    assert json.loads(Diagnosis().process(["{", '"a": 1', "}"])) == {"a": 1}
