"""The real connections: this very machine, and a host where nothing listens."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fleet.render import ROOT

HOSTS = [
    ("down", {"ssh_hostname": "127.0.0.1", "ssh_port": 1}),
    ("@local", {"_sudo": False}),
]
PROGRAM = """
import pyinfra_cli, json, sys
from pathlib import Path
import msgspec
from fleet import validate
from fleet.commands import ssh
from fleet.commands.hosts import Ask

inventory = validate.load(Path(sys.argv[1]))
names, heard, lines = ["down", "@local"], [], []
with ssh.connected(inventory, names) as hosts:
    asks = [msgspec.convert(one, Ask) for one in json.loads(sys.argv[2])]
    found = [hosts.ask(dict.fromkeys(names, one), lambda a: heard.append(a.host)) for one in asks]
    followed = hosts.follow("@local", Ask(command="printf 'a\\\\nb\\\\377\\\\n'"), lines.append)
print(msgspec.json.encode([found, heard, lines]).decode())
"""


def asked(directory: Path, *asks: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str], Any]:
    path = directory / "hosts.py"
    path.write_text(f"hosts = {HOSTS!r}\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), json.dumps(asks)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert "Traceback" not in done.stderr
    found, heard, lines = json.loads(done.stdout)
    return found, heard, lines


def test_answers_codes_input_and_deadlines(tmp_path: Path) -> None:
    begun = time.monotonic()
    found, heard, lines = asked(
        tmp_path,
        {"command": "echo out; echo err >&2; exit 3"},
        {"command": "IFS= read -r word; echo got $word", "stdin": "a secret"},
        {"command": "sleep 60", "deadline": 1},
        {"command": "true"},
    )
    assert time.monotonic() - begun < 40
    here = [one["@local"] for one in found]
    assert (here[0]["code"], here[0]["out"], here[0]["err"]) == (3, "out", "err")
    assert here[1]["out"] == "got a secret"
    assert (here[2]["code"], here[2]["problem"]) == (None, "gave no answer within 1 s")
    assert here[3]["code"] == 0
    for one in found:
        assert one["down"]["problem"].startswith("cannot be reached over SSH: Could not connect")
    assert sorted(heard) == ["@local"] * 4 + ["down"] * 4
    assert lines == ["a", "b\ufffd"]
