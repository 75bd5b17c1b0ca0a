from pathlib import Path

import pytest

from agent.spec import HostSpec
from fleet import control_files
from tests.fleet.samples import spec
from tests.fleet.tls_pairs import good

KEY = "sk-0123456789abcdef\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "keys"
    path.write_text(KEY)
    path.chmod(0o600)
    return {**good(tmp_path), "gateway_keys_file": str(path)}


def _faults(data: dict[str, str], **more: object) -> list[str]:
    made: HostSpec = spec(**data, **more)
    return control_files.faults(made)


def test_a_spec_whose_files_are_there_has_no_fault(files: dict[str, str]) -> None:
    assert _faults(files) == []


def test_every_missing_file_is_named() -> None:
    faults = _faults({}, model_token_file="/nonexistent")
    assert [fault.split(":")[0] for fault in faults] == [
        "gateway_tls_cert_file",
        "gateway_tls_key_file",
        "gateway_keys_file",
        "model_token_file = '/nonexistent'",
    ]


def test_a_secret_that_others_may_read_is_refused(files: dict[str, str]) -> None:
    Path(files["gateway_tls_key_file"]).chmod(0o644)
    [fault] = _faults(files)
    assert "chmod 600" in fault


def test_a_certificate_is_no_secret(files: dict[str, str]) -> None:
    Path(files["gateway_tls_cert_file"]).chmod(0o644)
    assert _faults(files) == []


def test_wrong_keys_are_a_fault_of_the_key_that_names_the_file(files: dict[str, str]) -> None:
    Path(files["gateway_keys_file"]).write_text("a b c d\n")
    [fault] = _faults(files)
    assert fault.startswith("gateway_keys_file = ")


def test_what_is_no_text_is_told(files: dict[str, str]) -> None:
    Path(files["gateway_keys_file"]).write_bytes(b"alice \xff\xfe\n")
    [fault] = _faults(files)
    assert fault == f"gateway_keys_file = {files['gateway_keys_file']!r}: is no text (UTF-8)"


def test_a_driver_repository_without_fingerprints_is_refused(files: dict[str, str]) -> None:
    [fault] = _faults(files, driver_repository_key_fingerprints=())
    assert fault.startswith("driver_repository_key_fingerprints")


def test_what_the_engine_cannot_honour_is_a_fault(files: dict[str, str]) -> None:
    [fault] = _faults(files, engine_extra_args=("--port", "1"))
    assert fault.startswith("engine main: ")


def test_the_token_is_read_without_its_newline(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("hf_x\n")
    assert control_files.token(spec(model_token_file=str(path))) == "hf_x"
    assert control_files.token(spec()) == ""


def test_a_key_of_another_certificate_is_told_by_name(
    files: dict[str, str], tmp_path: Path
) -> None:
    other = good(tmp_path, name="other")
    [fault] = _faults({**files, "gateway_tls_key_file": other["gateway_tls_key_file"]})
    assert fault.startswith("gateway_tls_cert_file = ")
    assert "is not for the key" in fault


def test_files_of_another_kind_are_told(files: dict[str, str]) -> None:
    certificate, key = files["gateway_tls_cert_file"], files["gateway_tls_key_file"]
    [fault] = _faults({**files, "gateway_tls_cert_file": key})
    assert fault.endswith("holds no certificate in PEM")
    [fault] = _faults({**files, "gateway_tls_key_file": certificate})
    assert fault.endswith("holds no private key in PEM")


def test_a_certificate_must_be_for_the_gateways_name(files: dict[str, str]) -> None:
    [fault] = _faults(files, gateway_server_name="gpu-1.example")
    assert "is not for gpu-1.example" in fault


def test_with_a_local_authority_no_file_is_needed(files: dict[str, str], tmp_path: Path) -> None:
    keys = {"gateway_keys_file": files["gateway_keys_file"], "gateway_tls": "local-ca"}
    assert _faults(keys, gateway_local_ca_dir=str(tmp_path / "ca")) == []
    [fault] = _faults(keys, gateway_local_ca_dir=files["gateway_keys_file"])
    assert fault.startswith("gateway_local_ca_dir = ")


def test_with_acme_a_name_is_needed(files: dict[str, str]) -> None:
    keys = {"gateway_keys_file": files["gateway_keys_file"], "gateway_tls": "acme"}
    assert _faults(keys, gateway_server_name="gpu-1.example") == []
    [fault] = _faults(keys)
    assert fault.startswith("gateway_server_name")
    trusted = {"gateway_server_name": "a.example", "gateway_acme_ca_file": "/nonexistent"}
    [fault] = _faults(keys, **trusted)
    assert fault.startswith("gateway_acme_ca_file = ")
    trusted["gateway_acme_ca_file"] = files["gateway_keys_file"]
    [fault] = _faults(keys, **trusted)
    assert fault.endswith("holds no certificate in PEM")
