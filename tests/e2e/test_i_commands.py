"""`stoker` on the control machine, against the real fleet: what is typed, and what comes back."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import INVENTORY, REPOSITORY, World, wait_for

pytestmark = pytest.mark.timeout(900)
FAULTS = "/var/lib/stoker/models/*/*/sim-faults.json"


def environment(world: World, **extra: str) -> dict[str, str]:
    return {**os.environ, "STOKER_SANDBOX": str(world.directory), **extra}


def command(*words: str) -> list[str]:
    """The inventory goes behind the verb; that of `lock` has two words."""
    verb = 2 if words[0] == "lock" else 1
    return [sys.executable, "-m", "fleet.cli", *words[:verb], INVENTORY, *words[verb:]]


def stoker(world: World, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(*words),
        cwd=REPOSITORY,
        env=environment(world, **extra),
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines()), default=0) <= 100 or {"--json", "logs"} & {
        *words
    }
    return done


def document(world: World, *words: str, **extra: str) -> tuple[int, Any]:
    done = stoker(world, *words, "--json", **extra)
    return done.returncode, json.loads(done.stdout)


def hooks(directory: Path, **scripts: str) -> str:
    for name, script in scripts.items():
        path = directory / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return str(directory)


@contextmanager
def begun(world: World, directory: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A deploy that waits in its first hook, all hosts locked, until the file `go` is there."""
    wait = f"touch {directory}/waits; while [ ! -e {directory}/go ]; do sleep 0.2; done"
    process = subprocess.Popen(
        command("deploy", "--yes", "--no-plan", *words),
        cwd=REPOSITORY,
        env=environment(world, STOKER_HOOKS=hooks(directory, pre_deploy=wait)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for("the hook waits", (directory / "waits").exists, 120)
        yield process
    finally:
        (directory / "go").touch()
        process.communicate(timeout=300)


def deploys(world: World, host: str) -> list[dict[str, Any]]:
    text = world.shell(host, "cat /var/lib/stoker/deploys.jsonl")
    return [json.loads(line) for line in text.splitlines()]


def test_status_shows_every_engine_and_names_the_host_that_is_down(world: World) -> None:
    code, found = document(world, "status")
    assert code == 0
    assert list(found["nodes"]) == world.hosts
    for node in found["nodes"].values():
        assert {one["state"]["phase"] for one in node["agent"]["engines"].values()} == {"SERVING"}
        assert sum(one["current"] for one in node["releases"]) == 1
    world.shell(world.hosts[0], "systemctl stop stoker-agent")
    try:
        done = stoker(world, "status", "--sort", "worst")
        assert done.returncode == 3
        assert done.stdout.splitlines()[1].split()[0] == world.hosts[0]
        assert f"! {world.hosts[0]}: the agent does not answer" in done.stdout
    finally:
        world.shell(world.hosts[0], "systemctl start stoker-agent")
        wait_for("it serves", lambda: world.phase(world.hosts[0]) == "SERVING", 60)


def test_drain_and_undrain_one_host(world: World) -> None:
    host = world.hosts[0]
    code, found = document(world, "drain", host, "--reason", "a fan", "--wait", "60")
    assert (code, [one["host"] for one in found["hosts"]]) == (0, [host])
    assert world.phase(host) == "DRAINED"
    assert [world.phase(other) for other in world.hosts[1:]] == ["SERVING"] * len(world.hosts[1:])
    assert stoker(world, "status").returncode == 1
    assert stoker(world, "undrain", host, "--reason", "done", "--wait", "60").returncode == 0
    told = stoker(world, "audit", "--limit", host, "--since", "10min").stdout
    assert "drain" in told
    assert "a fan" in told


def test_nobody_drains_all_hosts_of_a_model_by_a_star(world: World) -> None:
    done = stoker(world, "drain", "*", "--reason", "x")
    assert done.returncode == 2
    assert "nobody would answer" in done.stderr


def test_a_restart_goes_over_the_hosts_one_at_a_time(world: World) -> None:
    before = {host: world.engine(host)["running_since"] for host in world.hosts}
    assert stoker(world, "restart", "*", "--reason", "to see").returncode == 0
    after = {host: world.engine(host)["running_since"] for host in world.hosts}
    assert all(after[host] > before[host] for host in world.hosts)
    assert sorted(after, key=lambda host: float(after[host])) == world.hosts


def test_logs_of_two_hosts_have_their_names(world: World) -> None:
    done = stoker(world, "logs", *world.hosts[:2], "--agent", "-n", "2")
    heads = {line.split(" | ")[0] for line in done.stdout.splitlines()}
    assert (done.returncode, heads) == (0, set(world.hosts[:2]))


def test_a_second_deploy_has_nothing_to_do_and_each_host_wrote_both_down(world: World) -> None:
    code, found = document(world, "deploy", "--yes", "--no-plan")
    assert (code, found["verdict"]) == (0, "done")
    again = document(world, "deploy", "--yes", "--no-plan")[1]
    assert [host["changed"] for host in again["hosts"]] == [[]] * len(world.hosts)
    for host in world.hosts:
        *_, first, last = deploys(world, host)
        assert (first["event"], last["event"], last["changes"]) == ("deploy", "deployed", 0)
        assert last["by"].startswith("root@")
        # What is the same already keeps the id that it has.
        assert last["current"].rpartition("-")[2] == last["release"].rpartition("-")[2]


def test_one_run_at_a_time_over_an_inventory_and_who_has_it(world: World, tmp_path: Path) -> None:
    one, other = world.hosts[0], world.hosts[-1]
    with begun(world, tmp_path, "--limit", one):
        done = stoker(world, "deploy", "--yes", "--no-plan", "--limit", other)
        assert done.returncode == 1
        assert "the inventory: is held by root@" in done.stdout
        _, found = document(world, "lock", "status")
        assert found["of_inventory"][0]["reason"] == f"deploy.py for {INVENTORY}"
        assert [bool(host["by"]) for host in found["hosts"].values()] == [
            name == one for name in world.hosts
        ]
        refused = stoker(world, "rollback", one, "--reason", "x")
        assert refused.returncode == 1


def test_a_run_whose_host_was_taken_away_stops(world: World, tmp_path: Path) -> None:
    host = world.hosts[0]
    with begun(world, tmp_path, "--limit", host) as process:
        assert stoker(world, "lock", "steal", "--limit", host, "--reason", "e2e").returncode == 0
        time.sleep(40)  # until it beats
        (tmp_path / "go").touch()
        out, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert f"{host} was taken away" in out
    assert [one["event"] for one in deploys(world, host)[-3:]] == [
        "deploy", "lock-stolen", "deploy-not-begun",
    ]  # fmt: skip


def test_a_killed_run_leaves_no_lock_behind(world: World, tmp_path: Path) -> None:
    host = world.hosts[0]
    with begun(world, tmp_path, "--limit", host) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        assert process.wait(60) == 1
        assert document(world, "deploy", "--yes", "--no-plan", "--limit", host)[0] == 0


def test_a_hook_forbids_a_deploy_and_hears_of_the_end_of_another(
    world: World, tmp_path: Path
) -> None:
    host = world.hosts[0]
    words = ("deploy", "--yes", "--no-plan", "--limit", host)
    no = hooks(tmp_path, pre_deploy="echo it is Friday; exit 1")
    code, found = document(world, *words, STOKER_HOOKS=no)
    assert (code, found["verdict"]) == (1, "not begun")
    assert "it is Friday" in found["problem"]
    heard = f'echo "$STOKER_HOOK $STOKER_HOSTS $STOKER_OUTCOME" >>{tmp_path}/heard'
    yes = hooks(tmp_path, pre_deploy=heard, post_deploy=heard)
    assert document(world, *words, STOKER_HOOKS=yes)[0] == 0
    assert (tmp_path / "heard").read_text().splitlines() == [
        f"pre-deploy {host} ", f"post-deploy {host} done",
    ]  # fmt: skip


def test_a_host_that_fails_ends_it_with_its_last_lines_and_the_others_untouched(
    world: World,
) -> None:
    first, *others = world.hosts
    before = {host: world.engine(host)["running_since"] for host in others}
    world.shell(first, _next_start_fails())
    try:
        done = stoker(world, "deploy", "--yes", "--no-plan", "--data", "engine_drain_deadline=29")
        assert done.returncode == 1
        assert f"{first} failed at: engine | run the engines with their settings" in done.stdout
        assert "    | " in done.stdout
        assert f"untouched, serving as before: {others[0]}" in done.stdout
        assert {host: world.engine(host)["running_since"] for host in others} == before
        assert deploys(world, first)[-1]["event"] == "deploy-failed"
        assert deploys(world, others[0])[-1]["event"] == "deploy-stopped"
    finally:
        world.shell(first, f"rm -f {FAULTS}")
        code, _ = document(world, "deploy", "--yes", "--no-plan")
    assert code == 0
    assert world.phase(first) == "SERVING"


def _next_start_fails() -> str:
    fault = json.dumps({"start": "exit", "exit_code": 2})
    return f"for d in /var/lib/stoker/models/*/*/; do echo '{fault}' >$d/sim-faults.json; done"


def test_a_rollback_and_what_there_is_to_choose_from(world: World) -> None:
    host = world.hosts[0]
    here = world.shell(host, "readlink /opt/stoker/releases/current")
    words = ("deploy", "--yes", "--no-plan", "--limit", host, "--data", "gateway_retry_after=7")
    assert document(world, *words)[0] == 0
    assert world.shell(host, "readlink /opt/stoker/releases/current") != here
    refused = stoker(world, "rollback", host, "--to", "2001", "--reason", "x")
    assert (refused.returncode, here in refused.stderr) == (1, True)
    code, found = document(world, "rollback", host, "--reason", "e2e")
    assert (code, found["hosts"][0]["code"]) == (0, 0)
    assert world.shell(host, "readlink /opt/stoker/releases/current") == here
    told = stoker(world, "audit", "--deploys", "--since", "10min", "--limit", host).stdout
    assert "converged by root@" in told
    assert document(world, "deploy", "--yes", "--no-plan")[0] == 0


def test_drift_is_found_and_put_right(world: World) -> None:
    host = world.hosts[0]
    assert document(world, "drift", "--report-only")[0] == 0
    world.shell(host, "echo '# by hand' >>/etc/systemd/journald.conf.d/60-stoker.conf")
    code, found = document(world, "drift", "--report-only")
    assert code == 2
    place, *follows = (one["operation"] for one in found["reports"][host]["findings"])
    assert place == "place /etc/systemd/journald.conf.d/60-stoker.conf"
    assert all("journald" in one for one in follows), follows  # it has to read the file again
    assert document(world, "drift")[0] == 0
    assert document(world, "drift", "--last")[0] == 0
    assert "by hand" not in world.shell(host, "cat /etc/systemd/journald.conf.d/60-stoker.conf")


def test_on_a_terminal_a_deploy_asks_and_shows_who_does_what(world: World) -> None:
    shown, code = on_a_terminal(
        world, "deploy", "--no-plan", "--limit", world.hosts[0], answer=b"y\n"
    )
    assert code == 0
    assert "deploy this? [y/N]" in shown
    assert "\x1b[J" in shown
    assert f"deploy of {INVENTORY} · " in shown
    assert "operation " in shown
    shown, code = on_a_terminal(world, "deploy", "--no-plan", answer=b"\n")
    assert (code, "nothing was changed" in shown) == (1, True)


def on_a_terminal(world: World, *words: str, answer: bytes) -> tuple[str, int]:
    main, other = pty.openpty()
    process = subprocess.Popen(
        command(*words),
        cwd=REPOSITORY,
        env=environment(world, TERM="xterm"),
        stdin=other,
        stdout=other,
        stderr=other,
    )
    os.close(other)
    os.write(main, answer)
    shown = b""
    while True:
        ready, _, _ = select.select([main], [], [], 1)
        try:
            shown += os.read(main, 65536) if ready else b""
        except OSError:  # the other end is closed
            break
        if process.poll() is not None and not ready:
            break
    os.close(main)
    return shown.decode(errors="replace"), process.wait(10)
