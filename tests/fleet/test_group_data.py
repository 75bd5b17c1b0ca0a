"""`group_data/all.py` is the configuration reference: it and the spec say the same."""

import re
import runpy

import msgspec

from agent import flat
from agent.spec import SECTIONS, EngineSpec
from fleet.render import ROOT

FILE = ROOT / "group_data" / "all.py"
PYINFRA = {"_sudo", "_timeout"}


def _spec_keys() -> dict[str, object]:
    kinds: dict[str, type[msgspec.Struct]] = {**SECTIONS, "engine": EngineSpec}
    return {key: value for prefix, kind in kinds.items() for key, value in flat.keys(prefix, kind)}


def _file_keys() -> dict[str, object]:
    return {k: v for k, v in runpy.run_path(str(FILE)).items() if not k.startswith("__")}


def test_every_key_stands_there_with_the_default_of_the_spec() -> None:
    defaults = {k: v for k, v in _spec_keys().items() if v is not msgspec.NODEFAULT}
    assert {k: v for k, v in _file_keys().items() if k not in PYINFRA} == defaults


def test_keys_without_a_default_stand_there_commented_out() -> None:
    wanted = {k for k, v in _spec_keys().items() if v is msgspec.NODEFAULT}
    assert wanted
    assert set(re.findall(r"^# ([a-z_]+) = ", FILE.read_text(), re.MULTILINE)) == wanted


def test_pyinfra_is_told_how_long_a_command_may_take() -> None:
    assert _file_keys()["_timeout"] == 900
