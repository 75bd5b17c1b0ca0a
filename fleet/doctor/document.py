"""What was found on all hosts and here: as a document, as text, as an exit code. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from agent.doctor import text
from agent.doctor.command import GRAVE
from agent.doctor.finding import Finding
from fleet.doctor.answer import Answer
from fleet.doctor.clocks import clock

HERE = "this machine"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints. `not_examined`: host → why."""

    inventory: str
    findings: dict[str, tuple[Finding, ...]]
    not_examined: dict[str, str]


def document(path: str, here: Sequence[Finding], answers: Mapping[str, Answer]) -> Document:
    """Put what was found together."""
    found = {HERE: tuple(here)} if here else {}
    for name, answer in answers.items():
        if answer.report is not None:
            found[name] = (*answer.report.findings, *clock(answer))
    problems = {name: answer.problem for name, answer in answers.items() if not answer.report}
    return Document(inventory=path, findings=found, not_examined=problems)


def render(made: Document, *, notes: bool, colour: bool) -> str:
    """Return the text: what could not be examined first, then findings, then the counts."""
    lines = [text.silent(name, why) for name, why in made.not_examined.items()]
    hosts = [name for name in made.findings if name != HERE]
    if made.findings:
        lines.append(text.render(made.findings, notes=notes, colour=colour))
    examined = f"{len(hosts)} host(s) examined"
    lines.append(examined + (f", {len(made.not_examined)} not" if made.not_examined else ""))
    return "\n".join(lines)


def code(made: Document) -> int:
    """Return the exit code."""
    if made.not_examined:
        return 3
    grave = any(one.severity in GRAVE for found in made.findings.values() for one in found)
    return int(grave)
