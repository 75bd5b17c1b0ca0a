"""The doctor finds each fault that can be planted here, with its cure, and else nothing.

What cannot be planted on a simulated host: a wrong clock, noexec mounts, ECC that is off since the
boot, a half-upgraded driver. Their judgements have tests of their own.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.doctor.finding import Severity
from tests.e2e.faults import Node
from tests.e2e.world import REPOSITORY, World, wait_for

MISMATCH = 18  # nvml.h: NVML_ERROR_LIB_RM_VERSION_MISMATCH
GRAVE = {"fault", "warning"}
DAEMON = "/etc/docker/daemon.json"
DRIFT = "stoker-release drift --report-only"
# As a site would have it that followed an old guide.
OLD_GUIDE = (
    "import json; p = '/etc/docker/daemon.json'; s = json.load(open(p)); "
    "s |= {'default-runtime': 'nvidia', 'live-restore': False, "
    "'runtimes': {'nvidia': {'path': '/usr/bin/runc'}}}; json.dump(s, open(p, 'w'))"
)


@dataclass(frozen=True)
class Plant:
    """A fault; `told` are words of its finding, `fix` of its cure."""

    examination: str
    told: str
    fix: str
    ill: str = ""
    well: str = ""


SHELL = (
    Plant("holds", "docker-ce: not held", "apt-mark hold docker-ce",
          "apt-mark unhold docker-ce", "apt-mark hold docker-ce"),
    Plant("unattended_upgrades", "may move", "52stoker",
          "apt-get -qqy install unattended-upgrades >&2 && mv /etc/apt/apt.conf.d/52stoker /root/",
          "mv /root/52stoker /etc/apt/apt.conf.d/; apt-get -qqy purge unattended-upgrades >&2"),
    Plant("secret_files", "gateway-keys.conf is readable by others (mode 644)", "chmod 600",
          "chmod 644 /etc/stoker/secrets/gateway-keys.conf",
          "chmod 600 /etc/stoker/secrets/gateway-keys.conf"),
    Plant("foreign_secrets", "/etc/default/tgi holds HF_TOKEN", "chmod 600 /etc/default/tgi",
          "echo HF_TOKEN=hf_planted >/etc/default/tgi", "rm /etc/default/tgi"),
    Plant("units", "cron.service is inactive", "systemctl start cron.service",
          "systemctl stop cron", "systemctl start cron"),
    Plant("kernel", "net.ipv4.ip_forward = 0: containers would have no network", "sysctl -w",
          "sysctl -q -w net.ipv4.ip_forward=0", "sysctl -q -w net.ipv4.ip_forward=1"),
    Plant("disks", "/boot is full", "du -xh",
          "mount -t tmpfs -o size=8m planted /boot; head -c 9M /dev/zero >/boot/full || true",
          "umount /boot"),
    Plant("pending_reboot", "because of linux-image-planted", "systemctl reboot",
          "touch /run/reboot-required; echo linux-image-planted >/run/reboot-required.pkgs",
          "rm /run/reboot-required*"),
    Plant("package_sources", "is a source twice", "rm /etc/apt/sources.list.d/planted.list",
          "uri=$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/stoker-docker.sources); "
          "echo deb $uri trixie stable >/etc/apt/sources.list.d/planted.list",
          "rm /etc/apt/sources.list.d/planted.list"),
    Plant("firewall", "the firewall is not loaded", "systemctl restart stoker-firewall",
          "nft delete table inet stoker", "systemctl restart stoker-firewall"),
    Plant("engine_ports", "port 8080 of engine main listens on", "stokerctl restart main",
          "systemd-run -q --unit=planted-port python3 -m http.server 8080 --bind "
          "$(hostname -I | cut -d' ' -f1)",
          "systemctl stop planted-port"),
)  # fmt: skip
GPUS = (
    Plant("persistence", "persistence mode is off on GPU 0", "nvidia-persistenced"),
    Plant("ecc", "ECC of GPU 1 will be off after the next reset", "nvidia-smi -e 1"),
    Plant("pcie", "GPU 1 has 8 of 16 PCIe lanes", "reseat"),
    Plant("gpu_count", "1 GPU(s) are on the PCI bus, driver_gpu_count is 2", "reseat"),
    Plant("cdi", "is older than the driver", "nvidia-cdi-refresh"),
)
CONTAINERS = (
    Plant("docker", "daemon.json is not as it was deployed", "deploy this host again"),
    Plant("docker", "live-restore is off", "systemctl reload docker"),
    Plant("legacy_injection", "default runtime is nvidia", "default-runtime"),
    Plant("legacy_injection", "container planted got its GPUs by --runtime nvidia", "CDI"),
    Plant("published_ports", "container planted publishes port 18080", "127.0.0.1:18080"),
    Plant("container_secrets", "container planted has HUGGING_FACE_HUB_TOKEN", "as a file"),
)
CERTIFICATE = (
    Plant("certificate", "the certificate expires in 2.0 days", "gateway_tls_cert_file"),
    Plant("certificate", "is for other.sandbox, not for", "gateway_tls_cert_file"),
    Plant("certificate", "nginx serves another certificate", "systemctl reload nginx"),
)


@pytest.fixture(scope="module", autouse=True)
def looked_at(first: tuple[World, object]) -> None:
    """Cron does not check these hosts; what an earlier check has found may be well by now."""
    for host in first[0].hosts:
        first[0].shell(host, DRIFT, check=False)


@pytest.fixture
def sick(world: World) -> Iterator[Node]:
    """The first host, found well after it was healed."""
    node = Node(world, world.hosts[0])
    yield node
    wait_for("the doctor finds nothing", lambda: grave(node) == [], 90)


def examined(node: Node) -> list[dict[str, str]]:
    return list(json.loads(node.shell("stokerctl doctor --json", check=False))["findings"])


def grave(node: Node) -> list[dict[str, str]]:
    return [one for one in examined(node) if one["severity"] != Severity.NOTE]


def answered(node: Node) -> list[dict[str, str]]:
    """Return what is grave, once nothing is unknown: on a busy machine an answer may be late."""

    def all_known() -> tuple[list[dict[str, str]]] | None:
        found = grave(node)
        return None if any(one["severity"] == Severity.UNKNOWN for one in found) else (found,)

    return wait_for("all examinations answer", all_known, 90)[0]


def holds(findings: list[dict[str, str]], *plants: Plant) -> None:
    """Each plant is found, with its cure, and nothing is found that was not planted."""
    for plant in plants:
        found = [one for one in findings if one["examination"] == plant.examination]
        told = [one for one in found if plant.told in one["message"]]
        assert told, f"{plant.told!r} is not in {found or findings}"
        assert told[0]["severity"] in GRAVE
        assert plant.fix in told[0]["fix"]
    others = {one["examination"] for one in findings} - {plant.examination for plant in plants}
    assert others <= {"agent_says"}, [one for one in findings if one["examination"] in others]


def stoker(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fleet.cli", "doctor", "inventory/sandbox.py", *arguments],
        cwd=REPOSITORY,
        env={"STOKER_SANDBOX": str(world.directory), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@contextmanager
def planted(node: Node, ill: str, well: str) -> Iterator[None]:
    try:
        node.shell(ill)
        yield
    finally:
        node.shell(well, check=False)


def test_healthy_hosts_have_nothing(world: World) -> None:
    done = stoker(world)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "nothing is wrong" in done.stdout
    assert f"{len(world.hosts)} host(s) examined" in done.stdout


def test_what_a_shell_can_break_is_found_and_is_gone_when_healed(sick: Node) -> None:
    with planted(sick, "true", DRIFT), ExitStack() as stack:
        for plant in SHELL:
            stack.enter_context(planted(sick, plant.ill, plant.well))
        sick.shell(f"{DRIFT} || true")
        holds(answered(sick), *SHELL, Plant("drift", "whether the host drifted", "stoker-release"))
        text = sick.shell("stokerctl doctor", check=False)
        assert all(len(line) <= 100 for line in text.splitlines())
        assert "hf_planted" not in text


def test_what_gpus_show_is_found(sick: Node) -> None:
    written = sick.shell("stat -c %y /run/cdi/nvidia.yaml")
    back = f"touch -d '{written}' /run/cdi/nvidia.yaml"
    try:
        with planted(sick, "touch -d 2000-01-01 /run/cdi/nvidia.yaml", back):
            sick.nvml.set(0, "persistence", 0)
            sick.nvml.set(1, "ecc.pending", 0)
            sick.nvml.set(1, "pcie.width", 8)
            sick.pull(1)
            holds(answered(sick), *GPUS)
    finally:
        sick.nvml.clear()
        sick.pull()


def test_what_the_tutorial_leaves_is_found(sick: Node) -> None:
    keep, back = f"cp -p {DAEMON} /root/daemon.json", f"cp -p /root/daemon.json {DAEMON}"
    reload = "systemctl reload docker; sleep 1"
    image = sick.shell("docker inspect -f '{{.Image}}' stoker-main")
    run = (
        f"docker run -d --name planted --runtime nvidia -p 0.0.0.0:18080:80 "
        f"-e HUGGING_FACE_HUB_TOKEN=hf_planted -e MAX_TOTAL_TOKENS=4096 "
        f"--entrypoint sleep {image} 600"
    )
    ill = f'{keep}; python3 -c "{OLD_GUIDE}"; {reload}'
    with (
        # What is no longer set is forgotten by a restart only, which engines live through.
        planted(sick, ill, f"{back}; {reload}; systemctl restart docker"),
        planted(sick, run, "docker rm -f planted"),
    ):
        found = answered(sick)
        holds(found, *CONTAINERS)
        assert "hf_planted" not in json.dumps(found)
        assert "MAX_TOTAL_TOKENS" not in json.dumps(found)


def test_a_certificate_that_ends_soon_is_found(sick: Node) -> None:
    path = sick.shell(
        "sed -n 's/.*ssl_certificate \\(.*\\);/\\1/p' /etc/stoker/nginx.conf | head -1"
    )
    sick.shell(f"cp -p {path} /root/kept.crt")
    with planted(sick, f"cat >{path} <<'END'\n{_ending()}END", f"cp -p /root/kept.crt {path}"):
        holds(answered(sick), *CERTIFICATE)


def test_a_driver_that_hangs_is_found_and_holds_nothing_up(sick: Node) -> None:
    try:
        sick.nvml.hang("nvmlDeviceGetCount")
        with planted(sick, "systemctl stop cron", "systemctl start cron"):
            found = grave(sick)
            told = {one["examination"]: one for one in found if one["severity"] == "fault"}
            assert "does not return" in told["driver_answers"]["message"]
            assert "cron.service is inactive" in told["units"]["message"]
            unknown = {one["examination"] for one in found if one["severity"] == "unknown"}
            assert {"persistence", "ecc", "pcie", "gpu_state"} <= unknown
    finally:
        sick.nvml.release("nvmlDeviceGetCount")


def test_a_replaced_driver_is_found(sick: Node) -> None:
    try:
        sick.nvml.inject_return("*", MISMATCH)
        found = [one for one in examined(sick) if one["examination"] == "driver_versions"]
        assert "different versions" in found[0]["message"]
        assert "reboot" in found[0]["fix"]
    finally:
        sick.nvml.inject_return("*", 0)


def test_engines_and_the_agent_are_asked(sick: Node) -> None:
    drained = "stokerctl drain main --by tester --reason 'planted' --wait 30"
    with planted(sick, drained, "stokerctl undrain main --by tester --reason 'planted'"):
        [found] = [one for one in grave(sick) if one["examination"] == "engines"]
        assert "by tester: planted" in found["message"]
        assert "stokerctl undrain main" in found["fix"]
    with planted(sick, "systemctl stop stoker-agent", "systemctl start stoker-agent"):
        holds(answered(sick), Plant("units", "stoker-agent.service is inactive", "journalctl -u"))
    sick.serves(60)


def test_the_same_on_many_hosts_is_said_once_and_a_silent_host_is_named(world: World) -> None:
    nodes = [Node(world, host) for host in world.hosts]
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(
                planted(node, "apt-mark unhold docker-ce", "apt-mark hold docker-ce")
            )
        done = stoker(world)
        assert done.returncode == 1
        assert done.stdout.count("apt-mark hold docker-ce") == 1
        assert f"[{', '.join(world.hosts)}]" in " ".join(done.stdout.split())
        assert "\x1b" not in done.stdout
    last = nodes[-1]
    path = "/opt/stoker/venv/bin/stokerctl"
    with planted(
        last, f"mv $(readlink -f {path}) /root/kept", f"mv /root/kept $(readlink -f {path})"
    ):
        done = stoker(world, "--json")
        assert done.returncode == 3
        assert json.loads(done.stdout)["not_examined"] == {
            last.host: "has no doctor yet: deploy it first"
        }
        assert stoker(world, "--limit", world.hosts[0]).returncode == 0
    assert stoker(world, "--limit", "nobody").returncode == 2


def test_it_needs_root(world: World) -> None:
    done = world.fleet.ssh(world.hosts[0], "stokerctl doctor", check=False)
    assert done.code == 2
    assert "sudo" in done.err


def _ending() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "other.sandbox")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=2, minutes=5))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("other.sandbox")]), critical=False)
    )
    signed = made.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()
