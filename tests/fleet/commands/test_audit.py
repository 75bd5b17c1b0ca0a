"""The logs of many hosts as one: cut by the host itself, merged here."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from fleet.command import WrongUseError
from fleet.commands import audit
from tests.fleet.commands.fakes import good


def line(at: float, event: str, **facts: object) -> str:
    return json.dumps({"at": at, "event": event, **facts}, separators=(",", ":"))


def test_spans() -> None:
    assert [audit.span(one) for one in ("90s", "30min", "2h", "7d")] == [90, 1800, 7200, 604800]
    with pytest.raises(WrongUseError, match="--since yesterday: is no span"):
        audit.span("yesterday")


def test_the_host_leaves_out_what_is_older(tmp_path: Path) -> None:
    now = time.time()
    (tmp_path / "audit.jsonl.1").write_text(line(now - 9000, "old") + "\n" + line(now - 50, "a"))
    (tmp_path / "audit.jsonl").write_text('{"at": %.1f, "event": "b"}\ncut sho\n' % (now - 20))
    (tmp_path / "deploys.jsonl").write_text(line(now - 30, "deploy") + "\n")

    def run(*files: str) -> list[str]:
        command = audit.command(3600, files).replace("/var/lib/stoker", str(tmp_path))
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return [entry.event for entry in audit.merged({"a": good("a", done.stdout)})]

    assert run("audit", "deploys") == ["a", "deploy", "b"]
    assert run("deploys") == ["deploy"]


def test_merged_in_the_order_of_time_each_day_once() -> None:
    entries = audit.merged(
        {
            "b": good("b", line(86399.5, "requested", engine="main", verb="drain", by="ann")),
            "a": good("a", line(86400.2, "deployed", by="bob", reason="x", changes=0, plan="")),
        }
    )
    assert list(audit.lines(entries)) == [
        "1970-01-01 UTC",
        "23:59:59  b  requested main drain by ann",
        "1970-01-02 UTC",
        "00:00:00  a  deployed by bob: x (changes 0)",
    ]


def test_what_could_steer_a_terminal_is_left_out() -> None:
    [_, said] = audit.lines(audit.merged({"a": good("a", line(1, "x", reason="\x1b[2Jgone"))}))
    assert "\x1b" not in said
