"""The command as it is typed, on real inventories; in processes of their own, as gevent patches."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from fleet.render import ROOT
from tests.fleet.samples import ENGINE

DOWN = {"ssh_hostname": "127.0.0.1", "ssh_port": 1}


def stoker(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fleet.cli", *arguments],
        cwd=directory,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def inventory(directory: Path, **data: Any) -> str:
    path = directory / "hosts.py"
    path.write_text(f"gpu = {[(name, {**ENGINE, **DOWN, **data}) for name in ('a', 'b')]!r}\n")
    return str(path)


def test_hosts_that_cannot_be_asked_change_nothing(tmp_path: Path) -> None:
    done = stoker(tmp_path, "scale", inventory(tmp_path, scaling_max=4), "--json")
    assert done.returncode == 3, done.stderr
    made = json.loads(done.stdout)
    assert made["models"]["org/model"]["current"] == 2
    assert made["models"]["org/model"]["desired"] == 2
    assert set(made["unreached"]) == {"a", "b"}


def test_an_inventory_is_read_anew_at_each_look(tmp_path: Path) -> None:
    path = Path(inventory(tmp_path))
    program = """
import pyinfra_cli, sys
from pathlib import Path
from fleet.scaling.command import loaded
path = Path(sys.argv[1])
before = list(loaded(str(path))[1])
path.write_text(path.read_text().replace("'b'", "'c'"))
print(before, list(loaded(str(path))[1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert done.stdout.strip() == "['a', 'b'] ['a', 'c']"


def test_export_is_typed_as_documented(tmp_path: Path) -> None:
    path = inventory(tmp_path, engine_served_name="chat")
    done = stoker(tmp_path, "export", "kubernetes", path, "--out", "k8s", "--limit", "a")
    assert done.returncode == 0, done.stderr
    assert sorted(one.name for one in (tmp_path / "k8s").iterdir()) == [
        "chat.yaml",
        "prometheus-adapter-values.yaml",
    ]
    assert "models.lock does not have its size" in done.stderr
    both = stoker(tmp_path, "export", "kubernetes", path, "--weights-gib", "7")
    assert both.stdout.count("\nkind: Deployment\n") == 1
    assert "seriesQuery" not in both.stdout
    assert "storage: 7Gi" in both.stdout


def test_wrong_use_and_wrong_settings_are_one_sentence_each(tmp_path: Path) -> None:
    wrong = stoker(tmp_path, "scale", inventory(tmp_path, scaling_min=4, scaling_max=2))
    assert wrong.returncode == 2
    assert "scaling_min, scaling_max: min = 4 is more than max = 2" in wrong.stderr
    (tmp_path / "hosts.py").write_text("gpu = [\n")
    broken = stoker(tmp_path, "scale", str(tmp_path / "hosts.py"))
    assert broken.returncode == 2
    assert "Traceback" not in broken.stderr
    assert broken.stderr.startswith("stoker: ")
