"""What a stranger, a neighbour, a container and the agent cannot do."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleet import firewall
from tests.e2e.test_3_life import LONG, running_stream
from tests.e2e.world import INVENTORY, REPOSITORY, Run, World, wait_for

SCAN = (Path(__file__).parent / "scan.py").read_text()
LOCKOUT = "tests/e2e/lockout.py"
STRANGER = "192.0.2.10"  # an address that firewall_read_from does not have
READ = [9750, 9751]
TABLE = "nft -s list table inet stoker"
FOREIGN = 8099  # the port of somebody else's container
SERVE = (
    "import http.server as s; "
    "s.ThreadingHTTPServer(('', {port}), s.SimpleHTTPRequestHandler).serve_forever()"
)


def scan(world: World, host: str, address: str, *ports: str, source: str = "-") -> list[int]:
    """Return the ports of `address` that answer when `host` asks."""
    config = str(world.directory / "ssh_config")
    asked = " ".join(ports)
    command = f"sudo sh -c 'ulimit -n 8192; python3 - {address} {source} {asked}'"
    done = subprocess.run(
        ["ssh", "-F", config, host, command],
        input=SCAN,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return [int(port) for port in done.stdout.split()]


@contextmanager
def unit(world: World, host: str, name: str, port: int, *command: str) -> Iterator[None]:
    """Run a program that listens, on a host, for as long as it is looked at."""
    quoted = " ".join(f'"{part}"' for part in command)
    world.shell(host, f"systemd-run -q --collect --unit={name} {quoted}")
    try:
        listens = f"ss -ltnH 'sport = :{port}'"
        wait_for(f"{name} listens", lambda: world.shell(host, listens), 20)
        yield
    finally:
        world.shell(host, f"systemctl stop {name}")


@pytest.fixture
def stranger(world: World) -> Iterator[tuple[World, str, str]]:
    """The last host with one more address, and the first host, which answers there."""
    asker, target = world.hosts[-1], world.hosts[0]
    world.shell(asker, f"ip addr add {STRANGER}/32 dev eth0")
    world.shell(target, f"ip route add {STRANGER}/32 via {world.address(asker)}")
    try:
        yield world, asker, target
    finally:
        world.shell(asker, f"ip addr del {STRANGER}/32 dev eth0")
        world.shell(target, f"ip route del {STRANGER}/32")


@contextmanager
def opened(world: World, host: str) -> Iterator[None]:
    """Take the firewall away for a while: what a test finds shut must be open without it."""
    world.shell(host, "systemctl stop stoker-firewall")
    try:
        assert "stoker" not in world.shell(host, "nft list tables")
        yield
    finally:
        world.shell(host, "systemctl start stoker-firewall")


def test_three_ports_of_all_answer_a_stranger(stranger: tuple[World, str, str]) -> None:
    world, asker, target = stranger
    found = scan(world, asker, world.address(target), "1-65535", source=STRANGER)
    assert found == [22, 80, 443]
    with opened(world, target):
        ports = ["22", "80", "443", *map(str, READ)]
        found = scan(world, asker, world.address(target), *ports, source=STRANGER)
        assert found == [22, 80, 443, *READ]


def test_who_may_read_reads_the_agent_and_no_more(world: World) -> None:
    asker, target = world.hosts[-1], world.hosts[0]
    ports = ["1-1024", "8000-10000"]
    assert scan(world, asker, world.address(target), *ports) == [22, 80, 443, *READ]


def test_a_new_service_is_shut_also_over_ipv6(world: World) -> None:
    asker, target = world.hosts[-1], world.hosts[0]
    for host in (asker, target):
        world.shell(host, "echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    local = "ip -6 -j addr show dev eth0 scope link"
    [interface] = json.loads(wait_for("an address", lambda: world.shell(target, local), 10))
    address = f"{interface['addr_info'][0]['local']}%eth0"
    program = (
        "import socket, time; s = socket.create_server(('::', 9100), family=socket.AF_INET6, "
        "dualstack_ipv6=True); time.sleep(600)"
    )
    try:
        with unit(world, target, "exporter", 9100, "python3", "-c", program):
            time.sleep(2)  # duplicate address detection
            for where in (address, world.address(target)):
                assert scan(world, asker, where, "22", "8080", "9100", *map(str, READ)) == (
                    [22] if where == address else [22, *READ]
                )
            with opened(world, target):
                assert scan(world, asker, address, "22", "9100") == [22, 9100]
    finally:
        for host in (asker, target):
            world.shell(host, "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")


@contextmanager
def neighbour(world: World, asker: str, target: str, address: str) -> Iterator[None]:
    """Let the asker send packets for a container's own address to the target."""
    world.shell(asker, f"ip route add {address}/32 via {world.address(target)}")
    try:
        yield
    finally:
        world.shell(asker, f"ip route del {address}/32")


def container_address(world: World, host: str, name: str) -> str:
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return world.shell(host, f'docker inspect -f "{form}" {name}')


def test_no_neighbour_reaches_an_engine_by_its_containers_address(world: World) -> None:
    asker, target = world.hosts[-1], world.hosts[0]
    address = container_address(world, target, "stoker-main")
    with neighbour(world, asker, target, address):
        assert scan(world, asker, address, "1-10000") == []
        with opened(world, target):
            assert scan(world, asker, address, "8080") == [8080]


@contextmanager
def foreign(world: World, host: str) -> Iterator[str]:
    """A container of somebody else, published to the world; its address."""
    image = world.shell(host, "docker inspect -f '{{.Image}}' stoker-main")
    program = SERVE.format(port=FOREIGN)
    world.shell(
        host,
        f"docker run -d --rm --name foreign -p 0.0.0.0:{FOREIGN}:{FOREIGN} "
        f'--entrypoint python3 {image} -c "{program}"',
    )
    try:
        address = container_address(world, host, "foreign")
        asked = f"curl -sf --max-time 5 http://{address}:{FOREIGN}/ || true"
        wait_for("it listens", lambda: world.shell(host, asked), 20)
        yield address
    finally:
        world.shell(host, "docker rm -f foreign")


def of_firewall(run: Run) -> list[str]:
    """What the stage changed; others may have reasons of their own to change something."""
    return [name for name in run.changed if name.startswith("firewall")]


def test_loading_the_rules_ends_no_stream(world: World) -> None:
    host = world.hosts[0]
    with running_stream(world, host) as running:
        world.shell(host, f"for n in $(seq 10); do nft -f {firewall.PATH}; done")
        assert running.pieces < LONG, "it was too short to tell"


def test_a_published_port_is_open_only_if_it_is_allowed(world: World) -> None:
    asker, target = world.hosts[-1], world.hosts[0]
    with foreign(world, target):
        assert scan(world, asker, world.address(target), str(FOREIGN)) == []
        world.shell(target, f"curl -sf --max-time 5 http://{world.address(target)}:{FOREIGN}/")
        allow = json.dumps({str(FOREIGN): [world.address(asker)]})
        try:
            run = world.deploy("--limit", target, "--data", f"firewall_allow={allow}")
            assert run.code == 0, run.output
            assert of_firewall(run) == [f"firewall | load {firewall.PATH} on {target}"]
            assert scan(world, asker, world.address(target), str(FOREIGN)) == [FOREIGN]
        finally:
            again = world.deploy("--limit", target)
        assert again.code == 0, again.output
        assert scan(world, asker, world.address(target), str(FOREIGN)) == []


def test_containers_go_out_but_come_neither_to_the_host_nor_to_an_engine(world: World) -> None:
    host = world.hosts[0]
    depot = world.fleet.layout.depot_address
    engine = container_address(world, host, "stoker-main")
    with foreign(world, host):
        program = "import socket; socket.create_connection(('{}', {}), 3)"
        ask = f'docker exec foreign python3 -c "{program}"'
        world.shell(host, ask.format(depot, 8443))
        for address, port in ((engine, 8080), ("172.17.0.1", 9750), (world.address(host), 9751)):
            said = world.shell(host, ask.format(address, port) + " 2>&1; true")
            assert "timed out" in said or "No route" in said, (address, port, said)


def test_a_restart_of_docker_and_a_boot_leave_it_in_place(world: World) -> None:
    host = world.hosts[0]
    before = world.shell(host, TABLE)
    world.shell(host, "systemctl restart docker", deadline=120)
    assert world.shell(host, TABLE) == before
    world.fleet.reboot_host(host)
    assert world.shell(host, TABLE) == before
    wait_for("serves again", lambda: world.phase(host) == "SERVING", 120)


def test_a_flush_by_somebody_else_is_found_and_mended(world: World) -> None:
    host = world.hosts[-1]
    before = world.shell(host, TABLE)
    world.shell(host, "nft delete table inet stoker")
    run = world.deploy("--limit", host)
    assert run.code == 0, run.output
    assert of_firewall(run) == [f"firewall | load {firewall.PATH} on {host}"]
    assert world.shell(host, TABLE) == before
    assert of_firewall(world.deploy("--limit", host)) == []


def _locked_out(world: World, host: str, seconds: int, kind: str) -> tuple[int, str]:
    environment = {
        "STOKER_SANDBOX": str(world.directory),
        "LOCKOUT": kind,
        "LOCKOUT_SECONDS": str(seconds),
        "PATH": "/usr/bin:/bin",
        "HOME": "/root",
    }
    pyinfra = str(Path(sys.executable).with_name("pyinfra"))
    done = subprocess.run(
        [pyinfra, INVENTORY, LOCKOUT, "-y", "--limit", host],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("kind", "seconds"), [("soft", 120), ("hard", 12)])
def test_rules_that_lock_us_out_are_taken_back(world: World, kind: str, seconds: int) -> None:
    host = world.hosts[-1]
    before = world.shell(host, f"{TABLE}; cat {firewall.PATH}")
    code, said = _locked_out(world, host, seconds, kind)
    assert code != 0
    assert "with the new firewall rules no new SSH connection" in said
    assert "the former rules are back" in said
    assert world.shell(host, f"{TABLE}; cat {firewall.PATH}") == before


def test_a_spec_that_would_lock_us_out_is_refused_before_anything_changes(world: World) -> None:
    run = world.deploy("--data", 'firewall_ssh_from=["192.0.2.0/24"]')
    assert run.code != 0
    assert "firewall_ssh_from = 192.0.2.0/24 would lock out" in run.output
    assert run.changed == []


INSIDE = {
    "Privileged": None,
    "CapAdd": None,
    "CapDrop": ["ALL"],
    "ReadonlyRootfs": True,
    "SecurityOpt": ["no-new-privileges"],
    "NetworkMode": "stoker",
    "IpcMode": "private",
    "PidMode": None,
    "UTSMode": None,
    "Binds": None,
    "Devices": None,
}


def test_an_engine_has_no_rights(world: World) -> None:
    for host in world.hosts:
        [seen] = json.loads(world.shell(host, "docker inspect stoker-main"))
        settings = seen["HostConfig"]
        assert {key: settings[key] or None for key in INSIDE} == INSIDE
        assert settings["PidsLimit"] >= 4096
        sources = {mount["Source"] for mount in seen["Mounts"] if mount["RW"]}
        assert all(one.startswith("/var/lib/stoker/engines/main/cache/") for one in sources)
        assert not any("docker.sock" in mount["Source"] for mount in seen["Mounts"])
        inside = "docker exec stoker-main sh -c '{}'"
        status = world.shell(host, inside.format("cat /proc/1/status"))
        for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"):
            assert line in status
        said = world.shell(host, inside.format("touch /x /usr/x /model/x 2>&1; true"))
        assert said.count("Read-only file system") == 3
        world.shell(host, inside.format("echo kept >/cache/kept; touch /tmp/x /dev/shm/x"))
        assert world.shell(host, "cat /var/lib/stoker/engines/main/cache/*/kept") == "kept"


def test_the_agent_rules_over_its_engines_alone(world: World) -> None:
    host = world.hosts[0]

    def fails(command: str, *words: str) -> None:
        said = world.shell(host, f"runuser -u stoker -- {command} 2>&1; echo code=$?")
        assert not said.endswith("code=0"), said
        assert any(word in said for word in words), said

    denied = ("Interactive authentication required", "Access denied", "Permission denied")
    for verb, name in (
        ("start", "rescue.target"),
        ("restart", "nginx.service"),
        ("stop", "stoker-firewall.service"),
        ("start", "stoker-weights@main.service"),
        ("start", "stoker-reset@all.service"),
    ):
        fails(f"systemctl {verb} {name}", *denied)
    fails("sh -c 'cat /etc/stoker/secrets/*'", "Permission denied", "No such file")
    fails("ls /etc/stoker/secrets", "Permission denied")
    fails("docker ps", "ermission denied")
    fails("nft list tables", "Operation not permitted")
    fails("sh -c 'echo x >/etc/stoker/host.json'", "Permission denied")
    assert world.shell(host, "systemctl is-active nginx stoker-firewall") == "active\nactive"
    # It does what it is for: a start of an engine that runs is allowed, and does nothing.
    world.shell(host, "runuser -u stoker -- systemctl start stoker-engine@main.service")


PLACES = "/etc/stoker /var/lib/stoker /opt/stoker /run/stoker"


def test_nothing_of_ours_can_be_written_by_everybody_and_no_secret_read(world: World) -> None:
    key = (world.directory / "api-key").read_text().strip()
    tls = {
        host: (world.directory / "tls" / f"{host}.key").read_text().split("\n")[1]
        for host in world.hosts
    }
    for host in world.hosts:
        writable = f"find {PLACES} -xdev ! -type l -perm -002 ! -perm -1000 ! -type s"
        assert world.shell(host, writable) == ""
        for secret in (key, tls[host]):
            # By standard input, since argv would show it.
            listed = world.shell(
                host,
                f"cat >/root/needle <<'END'\n{secret}\nEND\n"
                f"grep -rlIsFf /root/needle {PLACES}; rm /root/needle",
            )
            holders = listed.splitlines()
            assert holders or secret == key, "the search sees nothing"
            if not holders:  # the gateway needs no more than its hash
                continue
            modes = world.shell(host, f"stat -c '%a %U' {' '.join(holders)}").splitlines()
            assert set(modes) == {"600 root"}, holders


def test_weights_can_be_read_by_an_engine_that_is_not_root(world: World) -> None:
    for host in world.hosts:
        files = "find /var/lib/stoker/models -type f ! -perm -004"
        found = world.shell(host, f"{files}; find /var/lib/stoker/models -type d ! -perm -005")
        assert [one for one in found.splitlines() if not re.search(r"/\.(cache|stoker)", one)] == []
