"""How much a unit could do if its program were taken over, as systemd itself reckons it."""

import subprocess
from pathlib import Path

import pytest

from fleet.firewall import PATH
from fleet.render import render
from fleet.stages.agent import WEBHOOK
from tests.fleet.samples import spec
from tests.sandbox import tools

BARE = spec()
ARMED = spec(
    agent_arm_reset=True,
    agent_webhook_url="https://pager.example/stoker",
    agent_webhook_secret_file="/secrets/webhook",
)
UNITS = {
    "stoker-agent.service": render("stoker-agent.service", spec=BARE, webhook_secret=WEBHOOK),
    "stoker-agent-armed.service": render(
        "stoker-agent.service", spec=ARMED, webhook_secret=WEBHOOK
    ),
    "stoker-engine@main.service": render("stoker-engine@.service", stop_seconds=60),
    "stoker-weights@main.service": render(
        "stoker-weights@.service", spec=BARE, python="/usr/bin/python3", etc="/etc/stoker/coming"
    ),
    "stoker-firewall.service": render("stoker-firewall.service", path=PATH),
}
# Measured with systemd 252: 2.2, 2.2, 2.7, 2.0, 2.5; a unit without any of it has 9.6.
MOST = {
    "stoker-agent.service": 2.5,
    "stoker-agent-armed.service": 2.5,
    "stoker-engine@main.service": 3.0,
    "stoker-weights@main.service": 2.5,
    "stoker-firewall.service": 2.5,
}


def exposure(directory: Path, name: str, unit: str) -> float:
    """Return systemd's "overall exposure level", from 0 to 10."""
    tools.ensure("systemd-analyze")
    file = directory / name
    file.write_text(unit)
    ask = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(file)]
    said = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    return float(said.strip().rpartition("\n")[2].rpartition(":")[2].split()[0])


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_can_do_little(name: str, tmp_path: Path) -> None:
    assert exposure(tmp_path, name, UNITS[name]) <= MOST[name]


def test_the_measure_would_notice(tmp_path: Path) -> None:
    unit = UNITS["stoker-agent.service"].replace("User=stoker", "")
    unit = unit.replace("SystemCallFilter", "#").replace("CapabilityBoundingSet", "#")
    assert exposure(tmp_path, "stoker-agent.service", unit) > MOST["stoker-agent.service"]


def test_the_secret_of_the_agent_comes_from_root() -> None:
    assert f"LoadCredential=webhook:{WEBHOOK}" in UNITS["stoker-agent-armed.service"]
    assert "LoadCredential" not in UNITS["stoker-agent.service"]
