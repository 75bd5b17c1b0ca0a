"""Whether a Grafana runs with its files of now: the command itself, with a `systemctl` of ours."""

import os
import subprocess
from pathlib import Path

import pytest

from fleet.operations.grafana import GrafanaBehind

STARTED = 1_767_607_200.5  # 2026-01-05 10:00:00.5 UTC
# As systemd 252 prints it on a host in Sydney, without and with `--timestamp=us+utc`.
SYSTEMCTL = """#!/bin/sh
case "$*" in
  "show "*"--timestamp=us+utc"*) echo "Mon 2026-01-05 10:00:00.500000 UTC" ;;
  "show "*) echo "Mon 2026-01-05 21:00:00 AEDT" ;;
  "-q is-active grafana-server.service") exit %d ;;
  *) exit 9 ;;
esac
"""


def behind(directory: Path, written: float, active: bool = True, zone: str = "UTC") -> bool:
    program, file = directory / "systemctl", directory / "a board.json"
    program.write_text(SYSTEMCTL % (0 if active else 3))
    program.chmod(0o755)
    file.write_text("{}")
    os.utime(file, (written, written))
    fact = GrafanaBehind()
    done = subprocess.run(
        ["sh", "-c", fact.command(files=[str(file)]).get_raw_value()],
        env={**os.environ, "PATH": f"{directory}:{os.environ['PATH']}", "TZ": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    return fact.process(done.stdout.splitlines())


@pytest.mark.parametrize("zone", ["UTC", "Australia/Sydney", "America/New_York", "Asia/Kolkata"])
def test_a_file_written_after_the_start_is_one_it_does_not_know(tmp_path: Path, zone: str) -> None:
    assert behind(tmp_path, STARTED + 0.25, zone=zone)
    assert behind(tmp_path, STARTED + 60, zone=zone)
    assert not behind(tmp_path, STARTED - 0.25, zone=zone)
    assert not behind(tmp_path, STARTED - 60, zone=zone)


def test_one_that_does_not_run_is_not_behind(tmp_path: Path) -> None:
    assert not behind(tmp_path, STARTED + 60, active=False)
