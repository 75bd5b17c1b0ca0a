"""`stoker doctor` as an operator runs it, where no host answers."""

import json
import subprocess
import sys
from pathlib import Path

from fleet.render import ROOT
from tests.fleet.samples import ENGINE


def stoker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fleet.cli", "doctor", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def test_an_inventory_or_a_limit_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    done = stoker(str(tmp_path / "none.py"))
    assert done.returncode == 2
    assert "there is no such inventory" in done.stderr
    inventory = tmp_path / "fleet.py"
    inventory.write_text("hosts = ['gpu-1']\n")
    assert stoker(str(inventory), "--limit", "gpu-2").returncode == 2


def test_a_host_that_is_down_is_named_beside_what_is_wrong_here(tmp_path: Path) -> None:
    inventory = tmp_path / "fleet.py"
    host = {**ENGINE, "ssh_hostname": "127.0.0.1", "ssh_port": 1, "driver_gpu_cuont": 1}
    inventory.write_text(f"hosts = [('gpu-1', {host!r})]\n")
    done = stoker(str(inventory), "--json")
    assert "Traceback" not in done.stderr
    assert done.returncode == 3
    made = json.loads(done.stdout)
    assert "cannot be reached over SSH" in made["not_examined"]["gpu-1"]
    [here] = [one["message"] for one in made["findings"]["this machine"]]
    assert "driver_gpu_count" in here
