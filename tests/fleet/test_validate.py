"""`python -m fleet.validate`, as `make validate` runs it."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fleet.render import ROOT
from tests.fleet.samples import IMAGE
from tests.fleet.tls_pairs import NOW, Made, good

GOOD = """
hosts = [("h1", {{"engine_image": "{image}", "engine_model": "o/m", "engine_revision": "{commit}",
  "gateway_tls_cert_file": "{tls}.crt", "gateway_tls_key_file": "{tls}.key",
  "gateway_keys_file": "{file}"}}),
  ("h2", {{{more}}})]
"""


def _validate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fleet.validate", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _inventory(tmp_path: Path, more: str) -> str:
    file = tmp_path / "secret"
    file.write_text("sk-0123456789abcdef\n")
    file.chmod(0o600)
    path = tmp_path / "fleet_test.py"
    good(tmp_path)
    tls = tmp_path / "tls"
    path.write_text(GOOD.format(image=IMAGE, commit="c" * 40, file=file, tls=tls, more=more))
    return str(path)


def test_a_misspelt_inventory_is_an_error() -> None:
    done = _validate("inventory/nope.py")
    assert done.returncode == 1
    assert done.stderr == "inventory/nope.py: there is no such inventory\n"


def test_the_faults_of_every_host_are_listed_without_a_trace(tmp_path: Path) -> None:
    done = _validate(_inventory(tmp_path, '"engine_gpu": 2, "agent_port": 0'))
    assert done.returncode == 1
    assert "h2: engine_gpu: unknown key (did you mean engine_gpus?)" in done.stderr
    assert "h2: agent_port = 0" in done.stderr
    assert "h1:" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_inventory_that_cannot_be_loaded_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("hosts = [undefined]\n")
    done = _validate(str(path))
    assert done.returncode == 1
    assert "undefined" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_line_a_host_when_all_is_well(tmp_path: Path) -> None:
    path = _inventory(tmp_path, "")
    text = Path(path).read_text()
    Path(path).write_text(text[: text.index('  ("h2"')] + "]\n")
    done = _validate(path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "h1: ok (main: vllm serves o/m on 1 GPU(s))\n"


def test_the_example_holds_no_host_yet() -> None:
    done = _validate("inventory/prod.py")
    assert done.returncode == 1
    assert "holds no host" in done.stderr


def test_a_certificate_that_expires_soon_is_a_warning(tmp_path: Path) -> None:
    path = _inventory(tmp_path, "")
    text = Path(path).read_text()
    Path(path).write_text(text[: text.index('  ("h2"')] + "]\n")
    now = datetime.now(UTC)
    days = (now - NOW) / timedelta(days=1) + 9.5
    soon = Made("soon", days=days, begins=now - timedelta(days=80))
    (tmp_path / "tls.crt").write_bytes(soon.pem)
    (tmp_path / "tls.key").write_bytes(soon.key_pem)
    done = _validate(path)
    assert done.returncode == 0
    assert "h1: warning: gateway_tls_cert_file = " in done.stderr
    assert "expires in 9 days" in done.stderr
