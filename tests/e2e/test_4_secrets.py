"""The value of no secret is found anywhere where somebody might look."""

from tests.e2e.conftest import SEEN
from tests.e2e.world import Run, World

PLACES = {
    "command lines": "cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
    "environments": "cat /proc/[0-9]*/environ | tr '\\0' ' '",
    "docker inspect": "docker ps -aq | xargs -r docker inspect",
    "docker images": "docker images -q | sort -u | xargs -r docker image inspect",
    "unit files": "cat /etc/systemd/system/*.service /etc/systemd/system/*/*.conf",
    "journal": "journalctl --no-pager -o cat",
    "logs": "cat /var/log/nginx/*.log /var/log/*.log",
    "spec and state": "cat /etc/stoker/host.json; find /var/lib/stoker -name '*.json*' | xargs cat",
    "temporary files": "find /tmp /var/tmp -type f | xargs -r cat",
    "all of /run": "grep -rIs . /run/stoker --exclude-dir=none",
}


def test_no_secret_was_on_a_command_line_during_the_deploy(first: tuple[World, Run]) -> None:
    world, _ = first
    for host in world.hosts:
        seen = world.shell(host, f"cat {SEEN}")
        assert "agent.weights" in seen, "the watch saw too little"
        for name in ("api-key", "hf-token"):
            secret = (world.directory / name).read_text().strip()
            assert secret not in seen, f"{name} on {host}"


def test_no_secret_is_found(first: tuple[World, Run], world: World) -> None:
    _, run = first
    key = (world.directory / "api-key").read_text().strip()
    token = (world.directory / "hf-token").read_text().strip()
    tls = "".join((world.directory / "tls" / f"{world.hosts[0]}.key").read_text().split("\n")[1:3])
    world.gateway(world.hosts[0]).chat("With a key in the header")
    for name, secret in (("API key", key), ("Hub token", token), ("TLS key", tls)):
        assert secret
        assert secret not in run.output, f"{name} in pyinfra's output"
        for host in world.hosts:
            for place, command in PLACES.items():
                # The needle goes in by a file that is not looked at: argv would find itself.
                text = world.shell(host, f"({command}) 2>/dev/null; true")
                assert secret not in text, f"{name} in {place} of {host}"


def test_the_search_would_find_one(world: World) -> None:
    host = world.hosts[0]
    world.shell(
        host,
        "systemd-run -q --unit=leak python3 -c 'import time; time.sleep(60)' sk-planted-secret",
    )
    try:
        assert "sk-planted-secret" in world.shell(
            host, PLACES["command lines"] + " 2>/dev/null; true"
        )
    finally:
        world.shell(host, "systemctl stop leak")


def test_the_token_is_not_on_the_node_at_all(world: World) -> None:
    token = (world.directory / "hf-token").read_text().strip()
    for host in world.hosts:
        needle = token[3:20]
        found = world.shell(
            host,
            f"grep -rlIs --exclude-dir=proc {needle} /etc /opt /var/lib/stoker /run /root; true",
        )
        assert found == ""


def test_secret_files_are_for_root_only(world: World) -> None:
    for host in world.hosts:
        modes = world.shell(host, "find /etc/stoker/secrets -type f -printf '%m %u %p\\n'")
        assert "gateway-keys.conf" in modes
        assert "tls.key" in modes
        for line in modes.splitlines():
            mode, user, _ = line.split()
            assert (mode, user) == ("600", "root"), line
