"""What must be refused is refused in one clear sentence, before anything changed on any host."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.world import Run, World
from tests.sandbox.docker import docker
from tests.sandbox.nvml.pci import write_pci

# What changes by itself on a living host is not ours to look at.
CHANGED = (
    "find / -xdev -newer /run/e2e-before -type f"
    " -not -path '/proc/*' -not -path '/sys/*' -not -path '/run/*' -not -path '/dev/*'"
    " -not -path '/tmp/*' -not -path '/var/log/*' -not -path '/var/lib/systemd/*'"
    " -not -path '/var/lib/private/*' -not -path '/sim/*'"
)


@contextmanager
def untouched(world: World, *hosts: str) -> Iterator[None]:
    """Hold that no file on the hosts is changed inside the block."""
    for host in hosts:
        world.shell(host, "touch /run/e2e-before")
    yield
    for host in hosts:
        assert world.shell(host, CHANGED) == ""


def assert_refused(run: Run, *words: str) -> None:
    """Hold that the run failed with one sentence that has all the words, and without a stack."""
    assert run.code != 0, run.output
    assert "Traceback" not in run.output, run.output
    sentences = [line for line in run.output.splitlines() if all(word in line for word in words)]
    assert sentences, run.output


def test_a_changed_file_would_be_seen(bare: World) -> None:
    host = bare.hosts[0]
    with pytest.raises(AssertionError), untouched(bare, host):
        bare.shell(host, "touch /etc/planted")
    bare.shell(host, "rm /etc/planted")


def test_unknown_key(bare: World) -> None:
    with untouched(bare, *bare.hosts):
        run = bare.deploy("--data", "engine_gpu=1")
    assert_refused(run, "engine_gpu", "unknown key", "engine_gpus")


def test_wrong_value(bare: World) -> None:
    with untouched(bare, *bare.hosts):
        run = bare.deploy("--data", "engine_port=99999")
    assert_refused(run, "engine_port", "99999", "1 to 65535")


def test_unreachable_host(bare: World) -> None:
    gone, others = bare.hosts[-1], bare.hosts[:-1]
    docker("stop", bare.fleet.layout.container(gone))
    try:
        with untouched(bare, *others):
            run = bare.deploy()
    finally:
        bare.fleet.up()
    assert_refused(run, gone, "reach")


def test_missing_gpu(bare: World) -> None:
    host = bare.hosts[0]
    pci = bare.fleet.simulated(host) / "pci"
    write_pci(pci, gpus=1)
    try:
        with untouched(bare, *bare.hosts):
            run = bare.deploy()
    finally:
        write_pci(pci, gpus=2)
    assert_refused(run, host, "1 NVIDIA GPU", "driver_gpu_count is 2")


def test_full_disk(bare: World) -> None:
    host = bare.hosts[1]
    bare.shell(host, "mkdir -p /var/lib/stoker && mount -t tmpfs -o size=16m tmpfs /var/lib/stoker")
    try:
        with untouched(bare, *bare.hosts):
            run = bare.deploy()
    finally:
        bare.shell(host, "umount /var/lib/stoker && rmdir /var/lib/stoker")
    assert_refused(run, host, "/var/lib/stoker", "free")


def test_occupied_port(bare: World) -> None:
    host = bare.hosts[0]
    bare.shell(host, "systemd-run -q --unit=squatter python3 -m http.server 8080")
    try:
        with untouched(bare, *bare.hosts):
            run = bare.deploy()
    finally:
        bare.shell(host, "systemctl stop squatter")
    assert_refused(run, host, "8080")


@pytest.mark.parametrize("token", ["hf_wrong", ""])
def test_wrong_token(bare: World, token: str) -> None:
    path = bare.directory / "hf-token"
    good = path.read_text()
    path.write_text(token + "\n")
    try:
        with untouched(bare, *bare.hosts):
            run = bare.deploy()
    finally:
        path.write_text(good)
    assert_refused(run, bare.hosts[0], "Hub", "401")
    assert good.strip() not in run.output
