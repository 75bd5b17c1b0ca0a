"""HAProxy's configuration, for the host as it is, tested before it is put in place."""

import shlex
from collections.abc import Generator

from pyinfra import host
from pyinfra.api import DeployError, StringCommand, operation

from agent.spec import HostSpec
from fleet import balancer
from fleet.facts.haproxy import InstalledHaproxy
from fleet.facts.paths import PathStates
from fleet.operations.file import place

SHARED_DROP_IN = "/etc/systemd/system/keepalived.service.d/stoker.conf"


@operation()
def haproxy_conf(spec: HostSpec) -> Generator[StringCommand]:
    """Place the configuration; one that HAProxy refuses never replaces one that works."""
    content = balancer.haproxy_cfg(spec, host.get_fact(InstalledHaproxy))
    check = "/usr/sbin/haproxy -c -q -f"
    yield from place(balancer.CONF, content, "644", "root:root", check)


@operation()
def keepalived_conf(spec: HostSpec) -> Generator[StringCommand]:
    """Place keepalived's configuration, for the interface that it is about."""
    interface = spec.balancer.vip_interface or host.get_fact(InstalledHaproxy).interface
    if not interface:
        raise DeployError(f"{spec.name}: {balancer.nowhere(spec)}")
    content = balancer.keepalived_conf(spec, interface)
    yield from place(balancer.KEEPALIVED, content, "644", "root:root", keepalived_test())


def keepalived_test(program: str = "/usr/sbin/keepalived") -> str:
    """Return a command that says what is wrong with the configuration in a file, its argument."""
    # keepalived 2.2.7 (Debian 12) ends its own test with SIGTERM, and all of its process group with
    # it, whatever it has found; but what it has found, it has said.
    script = (
        f'{{ said=$(setsid -w {program} --config-test -f "$0" 2>&1); }} 2>/dev/null; code=$?; '
        '[ "$code" = 0 ] || { [ "$code" = 143 ] && [ -z "$said" ]; } || '
        '{ echo "$said" >&2; exit 1; }'
    )
    return f"sh -c {shlex.quote(script)}"


@operation()
def keepalived_off() -> Generator[StringCommand]:
    """Take the shared address off a balancer that is to have none; another keepalived stays."""
    if SHARED_DROP_IN not in host.get_fact(PathStates, paths=[SHARED_DROP_IN]):
        host.noop("keepalived is not ours")
        return
    yield StringCommand(
        "systemctl disable --now keepalived.service; "
        f"rm -f {balancer.KEEPALIVED} {SHARED_DROP_IN} && systemctl daemon-reload"
    )
