"""Rendered files, as they are known to be good. `UPDATE_GOLDEN=1 pytest …` writes them anew."""

import os
from pathlib import Path

import pytest

from agent.spec import HostSpec
from fleet import gateway
from fleet.facts.nginx import InstalledNginx, Nginx
from fleet.render import ROOT, render
from fleet.stages.agent import WEBHOOK
from tests.fleet.samples import spec

GOLDEN = Path(__file__).parent / "golden"
ONE = spec(gateway_server_name="gpu-1.example", engine_kind="tgi")
TWO = spec(
    driver_gpu_count=4,
    gateway_retry_after=30,
    drift_every_minutes=15,
    agent_arm_reset=True,
    agent_arm_reboot=True,
    agent_webhook_url="https://pager.example/stoker",
    agent_webhook_secret_file="/secrets/webhook",
    engines={"chat": {"gpus": 2}, "code": {"gpus": 2, "port": 8081, "model": "org/code"}},
)
BALANCED = spec(
    gateway_server_name="gpu-1.example", gateway_balancers=("10.0.0.9", "2001:db8::/64")
)
OLD, NEW = Nginx((1, 22, 1)), Nginx((1, 26, 3), ipv6=False)


def golden(name: str, text: str) -> None:
    """Compare `text` with the golden file `name`."""
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


@pytest.mark.parametrize(
    ("name", "made", "nginx"),
    [
        ("one-1.22", ONE, OLD),
        ("one-1.26", ONE, NEW),
        ("balanced-1.22", BALANCED, OLD),
        ("two-1.22", TWO, OLD),
        ("two-1.26", TWO, NEW),
    ],
)
def test_nginx_conf(name: str, made: HostSpec, nginx: Nginx) -> None:
    golden(f"nginx.conf-{name}", gateway.nginx_conf(made, nginx))


@pytest.mark.parametrize(("name", "made"), [("one", ONE), ("two", TWO)])
def test_units_and_cron(name: str, made: HostSpec) -> None:
    unit = render("stoker-agent.service", spec=made, webhook_secret=WEBHOOK)
    golden(f"stoker-agent.service-{name}", unit)
    golden(f"50-stoker.rules-{name}", render("50-stoker.rules", spec=made))
    weights = render("stoker-weights@.service", spec=made, python="/opt/python", etc="/coming")
    golden(f"stoker-weights@.service-{name}", weights)
    golden(
        f"cron-{name}",
        render("cron", spec=made, program="/opt/stoker/venvs/0123/bin/stoker-release"),
    )


def test_http2_is_a_directive_only_where_nginx_knows_it() -> None:
    assert "http2 on;" not in gateway.nginx_conf(ONE, OLD)
    assert "ssl http2 " in gateway.nginx_conf(ONE, OLD)
    assert "http2 on;" in gateway.nginx_conf(ONE, NEW)
    assert "ssl http2" not in gateway.nginx_conf(ONE, NEW)


def test_the_log_holds_no_header_and_no_query() -> None:
    form = gateway.nginx_conf(ONE, NEW).split("log_format")[1].split(";\n")[0]
    assert "$http_" not in form
    assert "$request_uri" not in form
    assert "$args" not in form


@pytest.mark.parametrize(
    ("output", "found"),
    [(["1.26.3", "ipv6"], Nginx((1, 26, 3))), ([], Nginx((), ipv6=False))],
)
def test_the_version_is_read(output: list[str], found: Nginx) -> None:
    assert InstalledNginx().process(output) == found


def test_every_template_has_one_owner() -> None:
    code = "".join(path.read_text() for path in (ROOT / "fleet").rglob("*.py"))
    for template in (ROOT / "templates").iterdir():
        assert (
            code.count(f'render("{template.name}"')
            + code.count(f'render(\n            "{template.name}"')
            + code.count(f'render(\n        "{template.name}"')
            == 1
        ), template.name
