"""The fleet's certificates and secrets."""

import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from tests.sandbox import credentials, pki


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    pki.ensure_authority(tmp_path)
    pki.ensure_certificate(tmp_path, "gpu-1", "10.87.0.11")
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_host_certificate_holds_for_its_names_and_address(directory: Path) -> None:
    certificate = x509.load_pem_x509_certificate((directory / "tls/gpu-1.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gpu-1.sandbox", "gpu-1"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.87.0.11"]


def test_openssl_accepts_the_chain(directory: Path) -> None:
    command = ["openssl", "verify", "-x509_strict", "-CAfile", str(directory / "ca.pem")]
    subprocess.run([*command, str(directory / "tls/gpu-1.crt")], check=True, capture_output=True)


def test_keys_are_made_once_and_for_their_owner_only(directory: Path) -> None:
    before = {path: path.read_bytes() for path in directory.rglob("*.key")}
    pki.ensure_authority(directory)
    pki.ensure_certificate(directory, "gpu-1", "10.87.0.11")
    assert {path: path.read_bytes() for path in directory.rglob("*.key")} == before
    assert [mode(path) for path in before] == [0o600, 0o600]


def test_tokens_are_private_distinct_and_stay(tmp_path: Path) -> None:
    credentials.ensure_tokens(tmp_path)
    tokens = {path.name: path.read_text() for path in tmp_path.iterdir()}
    credentials.ensure_tokens(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == tokens
    assert tokens["api-key"].startswith("sk-")
    assert tokens["hf-token"].startswith("hf_")
    assert len(set(tokens.values())) == 3
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}


def test_ssh_reads_the_generated_key(tmp_path: Path) -> None:
    public = credentials.ensure_ssh_key(tmp_path / "id_ed25519", "comment")
    command = ["ssh-keygen", "-y", "-f", str(tmp_path / "id_ed25519")]
    derived = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert derived.split()[:2] == public.split()[:2]
