"""From bare hosts to a streaming chat completion, and nothing more to do after it."""

import json

from tests.e2e.world import Run, World, wait_for


def test_from_bare_to_serving(first: tuple[World, Run]) -> None:
    world, run = first
    assert run.code == 0, run.output
    assert run.hosts == len(world.hosts) == 3
    assert {host: world.phase(host) for host in world.hosts} == dict.fromkeys(
        world.hosts, "SERVING"
    )


def test_second_run_changes_nothing(world: World) -> None:
    run = world.deploy()
    assert run.code == 0, run.output
    assert run.hosts == len(world.hosts)
    assert run.changed == []
    assert run.failed == []


def test_completion_streams_token_by_token(world: World) -> None:
    for host in world.hosts:
        stream = world.gateway(host).stream("Tell me about furnaces", max_tokens=30)
        assert stream.status == 200
        assert stream.text()
        assert stream.finished
        # 30 tokens at the simulator's 50 a second: in one piece they would come at once.
        assert len(stream.arrivals) >= 20
        assert stream.arrivals[-1] - stream.arrivals[0] > 0.3


def test_wrong_key_is_refused_in_openais_words(world: World) -> None:
    gateway = world.gateway(world.hosts[0])
    for key in ("sk-wrong", None):
        answer = gateway.request("GET", "/v1/models", key=key)
        assert answer.status == 401
        assert answer.json()["error"]["message"]
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.headers["x-request-id"]


def test_only_listed_paths_reach_the_engine(world: World) -> None:
    gateway = world.gateway(world.hosts[0])
    assert gateway.request("GET", "/v1/models").status == 200
    for path in ("/info", "/metrics", "/generate", "/v1/../metrics", "/v1/load_lora_adapter"):
        answer = gateway.request("GET", path)
        assert answer.status == 404, path
        assert answer.json()["error"]["message"]


def test_agent_is_hardened(world: World) -> None:
    for host in world.hosts:
        said = world.shell(host, "systemd-analyze security --json=short stoker-agent.service; true")
        overall = world.shell(host, "systemd-analyze security stoker-agent.service | tail -1")
        exposure = float(overall.rpartition(":")[2].split()[0])
        assert exposure <= 2.5, said


def test_drift_check_finds_the_host_converged(world: World) -> None:
    for host in world.hosts:
        line = world.shell(host, "cat /etc/cron.d/stoker")
        assert "stoker-release drift" in line
        report = json.loads(world.shell(host, "stoker-release drift --json"))
        assert "findings" not in report
        assert "problem" not in report


def test_cron_carries_out_its_line(world: World) -> None:
    """Every minute and at once, for this test."""
    host, often = world.hosts[-1], "/etc/cron.d/often"
    hurry = "s|^[*]/[0-9]*|*|; s|--splay [0-9]*|--splay 0|; s|stoker-drift.lock|often.lock|"
    world.shell(host, "rm -f /var/lib/stoker/drift.json")  # of the deploy
    world.shell(host, f'sed "{hurry}" /etc/cron.d/stoker >{often}')
    try:
        look = "cat /var/lib/stoker/drift.json 2>/dev/null || true"
        report = json.loads(wait_for("cron's report", lambda: world.shell(host, look), 150, 2))
    finally:
        world.shell(host, f"rm {often}")
    assert "findings" not in report
    assert "problem" not in report


def test_drift_check_finds_a_changed_file(world: World) -> None:
    host = world.hosts[0]
    world.shell(host, "cp -p /etc/cron.d/stoker /root/keep && echo '# evil' >> /etc/cron.d/stoker")
    try:
        said = world.shell(host, "stoker-release drift --report-only; echo exit=$?", check=False)
    finally:
        world.shell(host, "cp -p /root/keep /etc/cron.d/stoker")
    assert "/etc/cron.d/stoker" in said
    assert "exit=2" in said
