"""Faults of one node for which an alert is told, and how each is taken back."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.faults import Node
from tests.e2e.world import wait_for

MISMATCH = 18  # nvml.h: NVML_ERROR_LIB_RM_VERSION_MISMATCH
SPEC = "/etc/stoker/host.json"
DRIFT = "/var/lib/stoker/drift.json"
NOBODY = "http://127.0.0.1:9"  # the discard service, which no host runs


Setting = tuple[Callable[[Node], object], Callable[[Node], object]]  # put there; taken back


@dataclass(frozen=True)
class Plant:
    """`ill` makes a node ill, `well` makes it well; `alerts` are told meanwhile.

    `by_rate`: the alerts look minutes back, so that other tests' requests would count too.
    """

    ill: Callable[[Node], object]
    well: Callable[[Node], object]
    alerts: tuple[str, ...]
    seconds: float = 60
    by_rate: bool = False


def _shell(command: str) -> Callable[[Node], object]:
    return lambda node: node.shell(command, check=False)


def _spec(was: str, now: str) -> Setting:
    """Another setting, by hand; and as it was."""
    restart = "systemctl restart stoker-agent"
    return (
        _shell(f"cp -p {SPEC} /run/kept.json; sed -i 's/{was}/{now}/' {SPEC}; {restart}"),
        _shell(f"cp -p /run/kept.json {SPEC}; {restart}"),
    )


def _report(python: str) -> Setting:
    """Another report of the check for drift."""
    load, dump = f'r=json.load(open("{DRIFT}"))', f'json.dump(r,open("{DRIFT}","w"))'
    edit = f"import json,time; {load}; {python}; {dump}"
    return (
        _shell(f"cp -p {DRIFT} /run/drift.json; python3 -c '{edit}'"),
        _shell(f"cp -p /run/drift.json {DRIFT}"),
    )


def _crashes(times: int) -> Callable[[Node], object]:
    def crash(node: Node) -> None:
        node.forget()
        for _ in range(times):
            since = node.engine()["running_since"]
            node.sim("crash")
            node.serves(60, since=since)

    return crash


CERTIFICATE = """
cp -p /etc/stoker/tls.crt /run/kept.crt
openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -days 1 -subj /CN=x \\
  -out /etc/stoker/tls.crt
"""
QUEUE = """cat >/run/queue.sh <<'END'
for n in $(seq 124); do
  curl -s -m 90 -o /dev/null http://127.0.0.1:8080/v1/chat/completions \\
    -H 'content-type: application/json' \\
    -d '{"model":"tgi","messages":[{"role":"user","content":"hi"}],"max_tokens":50}' &
done
END
nohup sh /run/queue.sh >/dev/null 2>&1 &
"""


def _dead_loop(node: Node) -> None:
    node.sim("router_loop_dead")
    node.shell(QUEUE)


def _slow(node: Node) -> None:
    node.sim("slow", tokens_per_second=3)
    for _ in range(6):
        assert node.chat().status == 200


def _queued(node: Node) -> None:
    """One prefill of 15 s, and requests that wait for its end."""
    node.sim("long_prefill", tokens=100, seconds=15)
    node.shell(QUEUE.replace("124", "8"))


def _errors(node: Node) -> None:
    """Have requests fail; now and then the agent's own question takes the error."""
    failed = 0
    for _ in range(40):
        node.sim("error_next_request")
        failed += node.chat().status >= 400
        if failed == 8:
            return
    raise AssertionError(f"only {failed} requests failed")


def _turned_away(node: Node) -> None:
    """Refusals over some seconds: what grew before its first look, Prometheus does not know."""
    node.shell("stokerctl drain main --by tester --reason test")
    node.refuses(5)
    for _ in range(30):
        assert node.chat().status == 503
        time.sleep(0.2)


def _broken_streams(node: Node) -> None:
    """End the engine under four streams."""
    since, talks = node.engine()["running_since"], [node.talk(1000) for _ in range(4)]
    node.sim("crash")
    for talk in talks:
        talk.is_cut(10)
    node.serves(60, since=since)


def _never_starts(node: Node) -> None:
    node.forget()
    node.next_start(start="exit", exit_code=1)
    node.sim("crash")
    wait_for("it is given up", lambda: node.state()["phase"] == "QUARANTINED", 240)


def _restart_waits(node: Node) -> None:
    """A fault that needs a restart, which waits for a stream."""
    node.talk(2000)
    node.xid(94, "Contained: CE User Channel", pid=node.pid())


def _falls_under(setting: Setting) -> Setting:
    """A GPU that falls off the bus while the agent has another setting."""
    other, back = setting

    def ill(node: Node) -> None:
        other(node)
        wait_for("the agent is back", lambda: node.get("/livez")[0] == 200, 20)
        node.serves(60)
        node.xid(79, "GPU has fallen off the bus.")

    def well(node: Node) -> None:
        back(node)
        node.heal()

    return ill, well


OBSERVE = _spec('"remediation": *"act"', '"remediation":"observe"')
SLOTLESS = _spec(
    '"fleetlock_url": *null',
    f'"fleetlock_url":"{NOBODY}"'.replace("/", "\\/")
    + '/; s/"arm_reboot": *false/"arm_reboot":true',
)
# A directory that is not empty lies where the agent's socket belongs.
DEAF = """
systemctl stop stoker-agent; rm -rf /run/stoker/gateway.sock
mkdir -p /run/stoker/gateway.sock/x; systemctl start stoker-agent
"""
HEARS = "rm -rf /run/stoker/gateway.sock; systemctl restart stoker-agent"

# Only for the agent: all hosts here have one clock.
BEHIND = """
mkdir -p /run/behind /run/systemd/system/stoker-agent.service.d
echo 'import time; real = time.time; time.time = lambda: real() - 300' >/run/behind/sitecustomize.py
printf '[Service]\\nEnvironment=PYTHONPATH=/run/behind\\n' \\
  >/run/systemd/system/stoker-agent.service.d/behind.conf
systemctl daemon-reload; systemctl restart stoker-agent
"""
ON_TIME = """
rm -r /run/behind /run/systemd/system/stoker-agent.service.d
systemctl daemon-reload; systemctl restart stoker-agent
"""
# What the kernel answers when it has overwritten what was not read yet: EPIPE, once.
OVERRUN = """
dpkg -i /var/cache/apt/archives/strace_*.deb /var/cache/apt/archives/libunwind8_*.deb >/dev/null
timeout 5 strace -qq -P /dev/kmsg -e trace=read -e inject=read:error=EPIPE:when=1 \\
  -p "$(systemctl show -p MainPID --value stoker-agent)" >/dev/null 2>&1 &
sleep 1
"""


def _overrun(node: Node) -> None:
    node.shell(OVERRUN)
    node.kernel("somebody wrote faster than was read")


PLANTS = {
    "a GPU falls off the bus": Plant(
        lambda node: node.xid(79, "GPU has fallen off the bus."),
        lambda node: node.heal(),
        ("StokerGpuFaultSevere", "StokerRemedyWaits", "StokerEngineNotServing"),
    ),
    "the driver hangs": Plant(
        lambda node: node.nvml.hang("nvmlDeviceGetCount"),
        lambda node: node.nvml.release("nvmlDeviceGetCount"),
        ("StokerGpusBlind",),
    ),
    "the driver is replaced": Plant(
        lambda node: node.nvml.inject_return("*", MISMATCH),
        lambda node: node.nvml.inject_return("*", 0),
        ("StokerDriverMismatch", "StokerGpusBlind"),
    ),
    "the engine is drained": Plant(
        _shell("stokerctl drain main --by tester --reason test"),
        lambda node: node.heal(),
        ("StokerEngineNotServing",),
    ),
    "the engine ends twice": Plant(
        _crashes(2), lambda node: node.heal(), ("StokerEngineBudgetLow",), 120
    ),
    "the engine ends thrice": Plant(
        _crashes(3), lambda node: node.heal(), ("StokerEngineBudgetExhausted",), 180
    ),
    "the disk is full": Plant(
        *_spec('"disk_floor_gib": [0-9]*', '"disk_floor_gib": 900000'), ("StokerDiskTrouble",)
    ),
    "the certificate ends": Plant(
        _shell(CERTIFICATE),
        _shell("cp -p /run/kept.crt /etc/stoker/tls.crt"),
        ("StokerCertificateExpires", "StokerCertificateExpiresSoon"),
        90,
    ),
    "it drifts": Plant(
        _shell("chmod 666 /etc/stoker/nginx.conf; stoker-release drift --report-only"),
        _shell("stoker-release drift"),
        ("StokerDriftLeft",),
        120,
    ),
    "the check for drift cannot tell": Plant(
        *_report('r["problem"]="no"'), ("StokerDriftCheckFails",)
    ),
    "nobody has checked for drift": Plant(
        *_report('r["at"]=time.time()-20000'), ("StokerDriftNotChecked",)
    ),
    "requests pile up": Plant(
        _dead_loop,
        _shell("stokerctl restart main --by tester --reason test --wait 120"),
        ("StokerEngineQueueLong", "StokerEngineBatchFull"),
        120,
    ),
    "requests wait for long": Plant(
        _queued, lambda node: node.sim("clear"), ("StokerEngineQueueSlow",), by_rate=True
    ),
    "tokens come slowly": Plant(
        _slow, lambda node: node.sim("clear"), ("StokerEngineTokensSlow",), by_rate=True
    ),
    "requests fail": Plant(
        _errors, lambda node: node.sim("clear"), ("StokerEngineRequestsFail",), by_rate=True
    ),
    "the gateway turns away": Plant(
        _turned_away,
        lambda node: node.heal(),
        ("StokerGatewayErrors", "StokerEngineNotServing"),
        by_rate=True,
    ),
    "streams break": Plant(
        _broken_streams,
        _shell("systemctl restart stoker-agent"),  # it forgets what it has counted
        ("StokerStreamsBroken",),
    ),
    "the engine never starts": Plant(
        _never_starts, lambda node: node.heal(), ("StokerEngineQuarantined",)
    ),
    "a GPU has half of its lanes": Plant(
        lambda node: node.nvml.set(0, "pcie.width", 8),
        lambda node: node.nvml.set(0, "pcie.width", 16),
        ("StokerEngineReduced", "StokerCondition"),
    ),
    "a restart waits for a stream": Plant(
        _restart_waits, lambda node: node.heal(), ("StokerGpuFault",)
    ),
    "no slot is to be had": Plant(*_falls_under(SLOTLESS), ("StokerFleetBrake",)),
    "the agent only observes": Plant(*_falls_under(OBSERVE), ("StokerEngineAdvice",)),
    "nobody hears the gateway": Plant(_shell(DEAF), _shell(HEARS), ("StokerGatewayDeaf",)),
    "the agent's clock is behind": Plant(_shell(BEHIND), _shell(ON_TIME), ("StokerAgentStale",)),
    "the kernel's log is overrun": Plant(
        _overrun,
        _shell("systemctl restart stoker-agent"),  # it forgets what it has counted
        ("StokerLogLost",),
        by_rate=True,
    ),
    "the certificate cannot be read": Plant(
        _shell("mv /etc/stoker/tls.crt /run/kept.crt"),
        _shell("mv /run/kept.crt /etc/stoker/tls.crt"),
        ("StokerChecksBlind",),
    ),
}
