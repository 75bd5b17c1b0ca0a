"""A real Prometheus, which scrapes a real agent's pages, for every rule and every panel."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.api import application
from fleet.monitoring import alertmanager, grafana, prometheus, rules
from tests.fleet.monitoring.exported import NODE, Exported
from tests.fleet.monitoring.test_config import eye
from tests.fleet.monitoring.test_names import ASKS, OTHERS, recorded
from tests.ports import free_port
from tests.sandbox import tools

SECONDS = 20.0  # of scraping, once a second
PATIENCE = 60.0
HAPROXY = """# TYPE haproxy_backend_active_servers gauge
haproxy_backend_active_servers{proxy="org/vllm"} 0
# TYPE haproxy_backend_current_queue gauge
haproxy_backend_current_queue{proxy="org/vllm"} 70
"""


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    tools.ensure("promtool", "amtool")


def checked(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def laid(root: Path, **more: Any) -> Path:
    """Lay what the stage lays, below `root`; return Prometheus' configuration."""
    spec = eye(**more)
    texts = {
        **prometheus.rule_files(spec),
        prometheus.NODES: prometheus.nodes(spec),
        prometheus.BALANCERS: prometheus.balancers(spec),
        prometheus.CONF: prometheus.conf(spec),
        alertmanager.CONF: alertmanager.conf(spec),
    }
    for path, text in texts.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace(prometheus.DIRECTORY, f"{root}{prometheus.DIRECTORY}"))
    return root / prometheus.CONF.lstrip("/")


def test_promtool_and_amtool_find_nothing_wrong(tmp_path: Path) -> None:
    conf = laid(tmp_path)
    checked("promtool", "check", "config", str(conf))
    checked("amtool", "check-config", str(conf.with_name("alertmanager.yml")))


def test_amtool_takes_the_webhook(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    url = "https://pager.example/a?b='c'"
    conf = laid(tmp_path, monitoring_webhook_url=url, monitoring_webhook_token_file=str(token))
    checked("amtool", "check-config", str(conf.with_name("alertmanager.yml")))


class Prometheus:
    """One on loopback."""

    def __init__(self, port: int, http: aiohttp.ClientSession) -> None:
        self._at, self._http = f"http://127.0.0.1:{port}", http

    async def get(self, path: str, **parameters: str) -> Any:
        async with self._http.get(f"{self._at}/api/v1/{path}", params=parameters) as answer:
            told = json.loads(await answer.read())
        assert told["status"] == "success", told
        return told["data"]

    async def query(self, expr: str) -> list[dict[str, Any]]:
        return list((await self.get("query", query=expr))["result"])

    async def until(self, expr: str) -> None:
        for _ in range(int(PATIENCE * 4)):
            try:
                if await self.query(expr):
                    return
            except (aiohttp.ClientError, AssertionError, ValueError):
                pass
            await asyncio.sleep(0.25)
        raise AssertionError(f"nothing within {PATIENCE:.0f} s: {expr}")


@pytest.fixture(scope="module")
def exported() -> Exported:
    return Exported()


@pytest.fixture(scope="module")
async def seen(
    exported: Exported, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Prometheus]:
    """A Prometheus with our rules that has scraped for a while."""
    root, port = tmp_path_factory.mktemp("prometheus"), free_port()
    agent, balancer = TestServer(application(exported.reads)), TestServer(_haproxy())
    await agent.start_server()
    await balancer.start_server()
    conf = _conf(root, port, agent.port, balancer.port)
    process = await asyncio.create_subprocess_exec(
        shutil.which("prometheus") or "prometheus",
        f"--config.file={conf}",
        f"--storage.tsdb.path={root}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession() as http:
            made = Prometheus(port, http)
            await made.until('up{job="stoker"} == 1')
            for factor in range(2, 2 + int(SECONDS)):
                exported.work(factor)
                await asyncio.sleep(1)
            yield made
    finally:
        process.terminate()
        await process.wait()
        await agent.close()
        await balancer.close()


def _haproxy() -> web.Application:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=HAPROXY)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app


def _conf(root: Path, port: int, agent: int | None, balancer: int | None) -> Path:
    """What the stage makes, but once a second, and of the stand-ins."""
    spec = eye(monitoring_port=port, monitoring_interval=5)
    conf = root / "prometheus.yml"
    text = prometheus.conf(spec).replace("5s", "1s").replace(prometheus.DIRECTORY, str(root))
    conf.write_text(text)
    (root / "rules").mkdir()
    models = {"org/vllm": 1, "org/gone": 1}
    for name, rule in rules.files("https://runbooks.example", models).items():
        (root / "rules" / name).write_text(rule.replace("for: ", "for: 0s # "))
    for name, target, labels in (
        ("nodes", agent, {"instance": NODE, "role": "node"}),
        ("balancers", balancer, {"instance": "web-1"}),
    ):
        one = {"targets": [f"127.0.0.1:{target}"], "labels": labels}
        (root / f"{name}.json").write_text(json.dumps([one]))
    return conf


def filled(expr: str) -> str:
    """Put in what a person would choose on a board."""
    return re.sub(r"\$\w+", ".*", expr)


PANELS = [
    (f"{board.uid}: {panel.title}", query.expr)
    for board in grafana.ALL
    for panel in board.panels
    for query in panel.queries
]


async def test_every_panel_shows_something(seen: Prometheus) -> None:
    empty = [place for place, expr in PANELS if not await seen.query(filled(expr))]
    assert empty == []


async def test_every_variable_has_a_choice(seen: Prometheus) -> None:
    for board in grafana.ALL:
        for variable in board.variables:
            found = await seen.query(filled(variable.of))
            assert {one["metric"].get(variable.label) for one in found} - {None}, variable


async def test_every_recording_rule_has_a_result(seen: Prometheus) -> None:
    for name in recorded():
        found = await seen.query(name)
        assert found, name
        assert not [one for one in found if one["value"][1] == "NaN"], name


async def test_one_name_serves_three_programs(seen: Prometheus) -> None:
    for name in ("stoker:engine_queue_seconds:p99_5m", "stoker:engine_token_seconds:mean5m"):
        engines = {one["metric"]["engine"] for one in await seen.query(name)}
        assert engines == {"tgi", "vllm", "sglang"}
    models = {
        one["metric"]["model"] for one in await seen.query("stoker:model_generated_tokens:rate2m")
    }
    assert models == {"org/tgi", "org/vllm", "org/sglang"}


async def test_every_rule_is_evaluated_without_a_fault(seen: Prometheus) -> None:
    groups = (await seen.get("rules"))["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    assert len(found) > 50
    assert [(rule["name"], rule["lastError"]) for rule in found if rule["health"] != "ok"] == []


async def test_what_is_wrong_with_that_node_is_told(seen: Prometheus) -> None:
    """The texts of what fires are rendered: no template failed."""
    alerts = (await seen.get("alerts"))["alerts"]
    firing = {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}
    assert firing >= {
        *("StokerGpuFaultSevere", "StokerCondition", "StokerRemedyWaits", "StokerChecksBlind"),
        *("StokerEngineAdvice", "StokerEngineReduced", "StokerCertificateExpiresSoon"),
        *("StokerDriftLeft", "StokerGatewayDeaf", "StokerModelDown", "StokerBalancerNoServer"),
        *("StokerGatewayErrors", "StokerBalancerQueueLong"),
    }
    assert not firing & {"StokerNodeDown", "StokerNoNodes", "StokerRulesFail"}
    for one in alerts:
        assert "error expanding" not in one["annotations"]["summary"], one
        assert "<no value>" not in one["annotations"]["summary"], one
    down = next(one for one in alerts if one["labels"]["alertname"] == "StokerModelDown")
    assert down["annotations"]["summary"] == "Nobody serves model org/gone."


async def test_prometheus_has_the_metrics_of_its_own_that_rules_use(seen: Prometheus) -> None:
    names = {name for name in OTHERS if name.startswith("prometheus_")}
    assert names
    for name in names:
        found = await seen.query(name)
        assert found, name
        assert OTHERS[name] <= set(found[0]["metric"]), name


async def test_alertmanager_takes_alerts_and_has_the_metrics_that_rules_use(tmp_path: Path) -> None:
    port, conf = free_port(), laid(tmp_path).with_name("alertmanager.yml")
    process = await asyncio.create_subprocess_exec(
        shutil.which("prometheus-alertmanager") or "prometheus-alertmanager",
        f"--config.file={conf}",
        f"--storage.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        text = await _metrics(f"http://127.0.0.1:{port}/metrics")
    finally:
        process.terminate()
        await process.wait()
    names = {name for name in OTHERS if name.startswith("alertmanager_")}
    assert names
    for name in names:
        [line, *_] = [line for line in text.splitlines() if re.match(rf"{name}[{{ ]", line)]
        assert all(f'{label}="' in line for label in OTHERS[name]), line


HAPROXY_CONF = """
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend metrics
    bind 127.0.0.1:{port}
    http-request use-service prometheus-exporter if {{ path /metrics }}
backend m
    server gpu-1 127.0.0.1:1 check
"""


async def test_haproxy_has_the_metrics_that_rules_use(tmp_path: Path) -> None:
    tools.ensure("haproxy")
    port, conf = free_port(), tmp_path / "haproxy.cfg"
    conf.write_text(HAPROXY_CONF.format(port=port))
    process = await asyncio.create_subprocess_exec(
        shutil.which("haproxy", path="/usr/sbin:/usr/bin") or "haproxy",
        *("-db", "-f", str(conf)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        text = await _metrics(f"http://127.0.0.1:{port}/metrics")
    finally:
        process.terminate()
        await process.wait()
    names = {name for name in OTHERS if name.startswith("haproxy_")}
    assert names
    for name in names:
        [line] = [line for line in text.splitlines() if line.startswith(f'{name}{{proxy="m"')]
        assert OTHERS[name] == {"proxy"}, line


async def _metrics(url: str) -> str:
    async with aiohttp.ClientSession() as http:
        for _ in range(int(PATIENCE * 4)):
            try:
                async with http.get(url) as answer:
                    return await answer.text()
            except aiohttp.ClientError:
                await asyncio.sleep(0.25)
    raise AssertionError(f"{url} does not answer")


def test_everything_asked_for_was_tried() -> None:
    assert len(PANELS) + sum(len(board.variables) for board in grafana.ALL) < len(ASKS)
