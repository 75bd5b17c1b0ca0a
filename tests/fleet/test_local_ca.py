"""The authority of the operator's own, and its directory."""

import stat
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from agent.drift.manifest import File
from fleet import certificates, gateway, local_ca, local_ca_files, tls
from fleet.facts.paths import PathStates
from fleet.operations.local_certificate import local_certificate
from tests.fleet.samples import FakeHost, commands, spec
from tests.fleet.tls_pairs import NOW, Made

NAMES = ["gpu-1.example", "10.0.0.1"]


def made(directory: Path, names: list[str] = NAMES, days: float = 0) -> local_ca.Pair:
    now = NOW + timedelta(days=days)
    return local_ca_files.pair(directory, "gpu-1", names, now, keep=True)


def test_what_it_signs_is_right_for_all_names(tmp_path: Path) -> None:
    directory = tmp_path / "ca"
    pair = made(directory)
    chain = certificates.read(pair.certificate + (directory / "ca.crt").read_bytes())
    assert not list(certificates.faults(chain, certificates.key(pair.key), NAMES, NOW))
    assert not certificates.covers(chain[0], "gpu-2.example")


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    local_ca_files.pair(tmp_path / "ca", "gpu-1", NAMES, keep=True)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "ca").iterdir()}
    assert modes == {"ca.crt": 0o644, "ca.key": 0o600, "gpu-1.crt": 0o644, "gpu-1.key": 0o600}
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700
    assert local_ca_files.faults(tmp_path / "ca") == []


def test_nothing_is_made_anew_without_need(tmp_path: Path) -> None:
    first = made(tmp_path)
    assert made(tmp_path) == first
    assert made(tmp_path, days=366) == first


@pytest.mark.parametrize("change", ["late", "names", "authority", "garbled", "key lost"])
def test_when_it_is_made_anew(tmp_path: Path, change: str) -> None:
    first = made(tmp_path)
    match change:
        case "authority":
            (tmp_path / "ca.crt").unlink()
            (tmp_path / "ca.key").unlink()
        case "garbled":
            (tmp_path / "gpu-1.crt").write_text("rubbish")
        case "key lost":
            (tmp_path / "gpu-1.key").unlink()
    names = [*NAMES, "new.example"] if change == "names" else NAMES
    again = made(tmp_path, names, days=368 if change == "late" else 1)
    assert again.certificate != first.certificate
    assert made(tmp_path, names, days=368 if change == "late" else 1) == again


def test_a_plan_leaves_nothing_behind(tmp_path: Path) -> None:
    directory = tmp_path / "ca"
    local_ca_files.pair(directory, "gpu-1", NAMES, NOW, keep=False)
    assert not directory.exists()


def test_no_certificate_outlives_its_authority(tmp_path: Path) -> None:
    made(tmp_path)
    later = made(tmp_path, days=3400)
    [host] = certificates.read(later.certificate)
    [authority] = certificates.read((tmp_path / "ca.crt").read_bytes())
    assert host.not_valid_after_utc == authority.not_valid_after_utc


def test_what_is_wrong_with_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "ca"
    assert local_ca_files.faults(directory) == []
    directory.write_text("")
    assert "is not a directory" in local_ca_files.faults(directory)[0]
    directory.unlink()
    local_ca_files.pair(directory, "gpu-1", NAMES, keep=True)
    (directory / "ca.key").chmod(0o640)
    assert "others may read ca.key; chmod 600 it" in local_ca_files.faults(directory)[0]
    (directory / "ca.key").chmod(0o600)
    directory.chmod(0o755)
    assert "others may read ca; chmod 700 it" in local_ca_files.faults(directory)[0]
    directory.chmod(0o700)
    (directory / "ca.crt").write_bytes(Made("another", days=36500).pem)
    assert "ca.crt is not for its key" in local_ca_files.faults(directory)[0]
    (directory / "ca.crt").unlink()
    assert "holds no ca.crt any more" in local_ca_files.faults(directory)[0]


def test_the_host_gets_both_files_and_only_when_they_differ(tmp_path: Path) -> None:
    made_for = spec(gateway_tls="local-ca", gateway_local_ca_dir=str(tmp_path / "ca"))

    def run(host: FakeHost) -> list[str]:
        names = tls.local_names(made_for, "10.0.0.1")
        return [
            str(one)
            for one in commands(host, lambda: local_certificate._inner(spec=made_for, names=names))
        ]

    placed = run(FakeHost({PathStates: {}}))
    assert ["tls.key" in placed[0], "tls.crt" in placed[1]] == [True, True]
    has = {
        path: File(sha256=sha256(content).hexdigest(), mode=mode, user="root", group="root")
        for path, mode, content in (
            (gateway.PRIVATE_KEY, "600", (tmp_path / "ca/gpu-1.key").read_bytes()),
            (gateway.CERTIFICATE, "644", (tmp_path / "ca/gpu-1.crt").read_bytes()),
        )
    }
    assert run(FakeHost({PathStates: has})) == []


def test_all_names_by_which_clients_may_know_the_host() -> None:
    made_for = spec(gateway_tls="local-ca", gateway_server_name="api.example")
    assert tls.local_names(made_for, "10.0.0.1") == ["api.example", "gpu-1", "10.0.0.1"]
    assert tls.local_names(spec(gateway_tls="local-ca"), None) == ["gpu-1"]
