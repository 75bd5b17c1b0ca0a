from pathlib import Path

import pytest

from agent.spec import HostSpec
from fleet import control_files
from tests.fleet.samples import spec

KEY = "sk-0123456789abcdef\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    found = {}
    for key, text in (("tls_cert", "cert"), ("tls_key", "key"), ("keys", KEY)):
        path = tmp_path / key
        path.write_text(text)
        path.chmod(0o600)
        found[f"gateway_{key}_file"] = str(path)
    return found


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
