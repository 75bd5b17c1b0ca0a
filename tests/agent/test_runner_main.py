from pathlib import Path

from agent import reports
from agent.paths import Paths
from agent.reports import Exit, ExitClass
from agent.runner.__main__ import main
from tests.agent.engines.examples import engine
from tests.agent.host_specs import host


def life(directory: Path, name: str) -> Exit:
    paths = Paths(etc=directory, state=directory / "state", run=directory / "run")
    assert main(name, paths) == 1
    report = reports.read(paths.exit(name), Exit)
    assert report
    return report


def test_without_a_spec_the_report_says_so(tmp_path: Path) -> None:
    report = life(tmp_path, "main")
    assert (report.kind, report.reason) == (ExitClass.CONFIG, "SpecUnreadable")
    assert str(tmp_path / "host.json") in report.message


def test_a_garbled_spec_names_the_field(tmp_path: Path) -> None:
    good = host(tmp_path, {"main": engine("tgi")}).dump()
    (tmp_path / "host.json").write_bytes(good.replace(b'"gpus": 2', b'"gpus": "two"'))
    assert "gpus" in life(tmp_path, "main").message


def test_an_engine_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_bytes(host(tmp_path, {"chat": engine("tgi")}).dump())
    message = life(tmp_path, "main").message
    assert "no engine 'main'" in message
    assert "chat" in message
