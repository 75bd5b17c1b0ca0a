"""Texts of Docker 20.10 to 28 (daemon, distribution and containerd sources)."""

import pytest

from agent.reports import ExitClass
from agent.runner.refusals import REFUSALS, meaning
from tests.agent.docker_fake import lost, refused

CASES = [
    ('could not select device driver "cdi" with capabilities: []', "NoCdi", ExitClass.CONFIG),
    (
        "failed to create task: CDI device injection failed: unresolvable CDI devices "
        "nvidia.com/gpu=GPU-1",
        "CdiDeviceUnknown",
        ExitClass.GPU,
    ),
    (
        "could not kill: Cannot kill container: c0ffee: tried to kill container, but did not "
        "receive an exit event",
        "StuckProcess",
        ExitClass.GPU,
    ),
    (
        "driver failed programming external connectivity on endpoint stoker-main: Bind for "
        "127.0.0.1:8080 failed: port is already allocated",
        "PortTaken",
        ExitClass.PORT,
    ),
    (
        "listen tcp4 127.0.0.1:8080: bind: address already in use",
        "PortTaken",
        ExitClass.PORT,
    ),
    ("pull access denied for x, repository does not exist", "ImageRefused", ExitClass.AUTH),
    ("write /var/lib/docker/x: no space left on device", "DiskFull", ExitClass.CONFIG),
    ("manifest unknown: manifest unknown", "ImageMissing", ExitClass.CONFIG),
    (
        'Get "https://registry.example/v2/": dial tcp 10.0.0.1:443: connect: connection refused',
        "RegistryUnreachable",
        ExitClass.NETWORK,
    ),
    (
        'invalid mount config for type "bind": bind source path does not exist: /models/x',
        "BadMount",
        ExitClass.CONFIG,
    ),
    ("something new", "DockerRefused", ExitClass.CRASH),
]


@pytest.mark.parametrize(("text", "reason", "kind"), CASES)
def test_each_refusal_is_told_apart(text: str, reason: str, kind: ExitClass) -> None:
    ending = meaning(refused(text))
    assert (ending.reason, ending.kind) == (reason, kind)


def test_every_refusal_has_a_case() -> None:
    assert {marker.reason for marker in REFUSALS} <= {reason for _, reason, _ in CASES}


def test_no_cdi_names_the_version_and_the_setting() -> None:
    message = meaning(refused('could not select device driver "cdi"')).message
    assert "28.2" in message
    assert '{"cdi": true}' in message


def test_a_dockerd_that_is_away_is_not_a_refusal_of_the_registry() -> None:
    assert meaning(lost()).reason == "DockerLost"
