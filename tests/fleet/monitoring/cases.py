"""For each alert what makes it fire, as series in Prometheus' own notation, and what it then says.

The first `BEFORE` minutes all is well, then the fault stands, then all is well again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

BEFORE = 75  # minutes
NODE = 'job="stoker",instance="gpu-1"'
ENGINE = f'{NODE},engine="main"'


@dataclass(frozen=True)
class Case:
    """`sick`: series → (value while well, value in the fault); None = absent.

    `rising`: the same for counters, by growth a minute. `after`: minutes of the fault by which it
    must fire; at `quiet` it must not yet. `clears`: minutes after the fault by which it is over.
    """

    sick: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    rising: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""
    after: int = 30
    quiet: int = 0
    clears: int = 20

    @property
    def ends(self) -> int:
        """The minute at which the fault has gone."""
        return BEFORE + self.after + 15

    @property
    def length(self) -> int:
        """All minutes."""
        return self.ends + self.clears + 10


def node(**labels: str) -> dict[str, str]:
    return {"job": "stoker", "instance": "gpu-1", **labels}


def engine(**labels: str) -> dict[str, str]:
    return node(engine="main", **labels)


def phase(name: str) -> str:
    return f'stoker_engine_phase{{{ENGINE},phase="{name}"}}'


def bucket(of: str, le: str) -> str:
    return f'stoker_engine_{of}_seconds_bucket{{{ENGINE},le="{le}"}}'


SERVES_NOT = (1.0, 0.0)
COMES = (0.0, 1.0)


def out(name: str) -> dict[str, tuple[float | None, float | None]]:
    return {phase("SERVING"): SERVES_NOT, phase(name): COMES}


CASES: dict[str, Case] = {
    "StokerEngineQueueLong": Case(
        sick={f"stoker_engine_requests_waiting{{{ENGINE}}}": (50, 80)},
        labels=engine(),
        summary="gpu-1: 80 requests wait in engine main.",
        quiet=1,
        after=4,
        clears=2,
    ),
    "StokerEngineBatchFull": Case(
        sick={f"stoker_engine_requests_running{{{ENGINE}}}": (230, 250)},
        labels=engine(),
        summary="gpu-1: engine main uses 97.66% of what it can work on at once.",
        quiet=8,
        after=12,
        clears=2,
    ),
    "StokerEngineQueueSlow": Case(
        rising={bucket("queue", "0.5"): (60, 0), bucket("queue", "2.5"): (60, 60)},
        labels=engine(),
        summary=(
            "gpu-1: 1 in 100 requests waits 2.48s or longer before engine main begins with it, "
            "and it grows."
        ),
        after=15,
        clears=10,
    ),
    "StokerEngineTokensSlow": Case(
        rising={f"stoker_engine_token_seconds_sum{{{ENGINE}}}": (3, 12)},
        labels=engine(),
        summary="gpu-1: a token of engine main takes 200ms.",
        quiet=8,
        after=20,
        clears=10,
    ),
    "StokerEngineRequestsFail": Case(
        rising={f'stoker_engine_requests_total{{{ENGINE},outcome="failed"}}': (0, 60)},
        labels=engine(),
        summary="gpu-1: 50% of the requests to engine main fail.",
        after=15,
        clears=10,
    ),
    "StokerModelDown": Case(
        sick=out("DRAINED"),
        labels={"model": "org/m"},
        summary="Nobody serves model org/m.",
        after=3,
        clears=2,
    ),
    "StokerEngineQuarantined": Case(
        sick=out("QUARANTINED"),
        labels=engine(phase="QUARANTINED"),
        summary="gpu-1: engine main is out of service until a person releases it.",
        after=2,
        clears=2,
    ),
    "StokerEngineNotServing": Case(
        sick=out("STARTING"),
        labels=engine(phase="STARTING"),
        summary="gpu-1: engine main has been STARTING for over ten minutes.",
        quiet=8,
        after=12,
        clears=2,
    ),
    "StokerEngineBudgetLow": Case(
        sick={f"stoker_engine_restarts_left{{{ENGINE}}}": (2, 1)},
        labels=engine(),
        summary=("gpu-1: the agent may restart engine main once more; then it is quarantined."),
        after=2,
        clears=2,
    ),
    "StokerEngineBudgetExhausted": Case(
        sick={f"stoker_engine_restarts_left{{{ENGINE}}}": (2, 0)},
        labels=engine(),
        summary="gpu-1: the agent may not restart engine main any more.",
        after=2,
        clears=2,
    ),
    "StokerEngineReduced": Case(
        sick={f"stoker_engine_capacity_ratio{{{ENGINE}}}": (1, 0.5)},
        labels=engine(),
        summary="gpu-1: engine main can do 50% of its work.",
        quiet=3,
        after=7,
        clears=2,
    ),
    "StokerEngineAdvice": Case(
        sick={f"stoker_engine_advice{{{ENGINE}}}": (0, 2)},
        labels=engine(),
        summary="gpu-1: engine main needs a remedy, and the agent only observes.",
        after=3,
        clears=2,
    ),
    "StokerNodeDown": Case(
        sick={f"up{{{NODE}}}": (1, 0)},
        labels=node(),
        summary=("gpu-1 does not answer: it is down, cut off, or its agent does not run."),
        quiet=1,
        after=4,
        clears=2,
    ),
    "StokerNoNodes": Case(
        sick={f"up{{{NODE}}}": (1, None)},
        labels={"job": "stoker"},
        summary="Prometheus watches no host at all.",
        quiet=4,
        after=12,
        clears=2,
    ),
    "StokerAgentStale": Case(
        sick={f"stoker_last_tick_timestamp_seconds{{{NODE}}}": (1e9, 1)},
        labels=node(),
        after=3,
        clears=2,
    ),
    "StokerDiskTrouble": Case(
        sick={
            f'stoker_condition{{{NODE},check="disk",subject="node",reason="DiskFull"}}': (None, 1)
        },
        labels=node(check="disk", subject="node", reason="DiskFull"),
        summary="gpu-1: a disk that Stoker needs is in trouble (DiskFull).",
        after=4,
        clears=8,
    ),
    "StokerCertificateExpires": Case(
        sick={f"stoker_certificate_expiry_seconds{{{NODE}}}": (15 * 86400, 13 * 86400)},
        labels=node(),
        summary="gpu-1: the gateway's certificate is good for 13d 0h 0m 0s more.",
        quiet=8,
        after=12,
        clears=2,
    ),
    "StokerCertificateExpiresSoon": Case(
        sick={f"stoker_certificate_expiry_seconds{{{NODE}}}": (15 * 86400, -3600)},
        labels=node(),
        summary=(
            "gpu-1: clients will soon refuse the gateway: its certificate is good for "
            "-1h 0m 0s more."
        ),
        after=3,
        clears=2,
    ),
    "StokerStreamsBroken": Case(
        sick={
            f'stoker_condition{{{NODE},check="streams",subject="engine:main",'
            'reason="StreamsBroken"}': (None, 1)
        },
        labels=node(check="streams", subject="engine:main", reason="StreamsBroken"),
        summary="gpu-1: engine:main breaks off answers in the middle.",
        after=3,
        clears=8,
    ),
    "StokerGatewayErrors": Case(
        rising={
            f'stoker_gateway_requests_total{{{NODE},model="m",tenant="t",status="5xx"}}': (0, 20)
        },
        labels=node(),
        summary="gpu-1: 25% of the gateway's answers are errors of ours.",
        after=15,
        clears=10,
    ),
    "StokerCondition": Case(
        sick={
            f'stoker_condition{{{NODE},check="clock",subject="node",'
            'reason="ClockUnsynchronised"}': (None, 1)
        },
        labels=node(check="clock", subject="node", reason="ClockUnsynchronised"),
        summary="gpu-1: ClockUnsynchronised (node).",
        quiet=8,
        after=12,
        clears=8,
    ),
    "StokerGpuFault": Case(
        sick={f'stoker_incidents_open{{{NODE},remedy="restart"}}': (0, 1)},
        labels=node(remedy="restart"),
        summary="gpu-1: a GPU has a fault whose remedy is: restart.",
        after=2,
        clears=2,
    ),
    "StokerGpuFaultSevere": Case(
        sick={f'stoker_incidents_open{{{NODE},remedy="reboot"}}': (0, 1)},
        labels=node(remedy="reboot"),
        summary="gpu-1: a GPU has a fault whose remedy is: reboot.",
        after=2,
        clears=2,
    ),
    "StokerGpuFaultsRepeat": Case(
        rising={f'stoker_xid_total{{{NODE},uuid="GPU-0",xid="13"}}': (0, 0.05)},
        labels=node(uuid="GPU-0"),
        after=200,
        quiet=60,
        clears=380,
    ),
    "StokerDriverMismatch": Case(
        sick={
            f'stoker_condition{{{NODE},check="driver_version",subject="node",'
            'reason="DriverMismatchAhead"}': (None, 1)
        },
        labels=node(check="driver_version", subject="node", reason="DriverMismatchAhead"),
        summary=(
            "gpu-1: the driver on disk is not the one that is loaded; a program that starts now "
            "gets no GPU."
        ),
        quiet=3,
        after=7,
        clears=8,
    ),
    "StokerRemedyWaits": Case(
        sick={f'stoker_rung_waiting{{{NODE},rung="reset",reason="NotArmed"}}': (0, 2)},
        labels=node(rung="reset", reason="NotArmed"),
        summary="gpu-1: a reset is due and waits for a person (NotArmed).",
        quiet=8,
        after=12,
        clears=2,
    ),
    "StokerFleetBrake": Case(
        sick={f'stoker_rung_waiting{{{NODE},rung="reboot",reason="NoSlot"}}': (0, 1)},
        labels=node(rung="reboot", reason="NoSlot"),
        summary=("gpu-1: a reboot has waited for over 15 minutes for a slot of the fleet brake."),
        quiet=13,
        after=17,
        clears=2,
    ),
    "StokerGpusBlind": Case(
        sick={f"stoker_gpu_blind{{{NODE}}}": (0, 1)},
        labels=node(),
        summary="gpu-1: the driver does not answer, so nobody sees the GPUs.",
        quiet=3,
        after=7,
        clears=2,
    ),
    "StokerChecksBlind": Case(
        sick={f'stoker_check_unknown{{{NODE},check="disk"}}': (None, 1)},
        labels=node(check="disk"),
        summary="gpu-1: the check disk cannot tell.",
        quiet=8,
        after=12,
        clears=8,
    ),
    "StokerGatewayDeaf": Case(
        sick={f"stoker_gateway_deaf{{{NODE}}}": (0, 1)},
        labels=node(),
        summary="gpu-1: nobody tells the agent what the gateway does.",
        quiet=8,
        after=12,
        clears=2,
    ),
    "StokerLogLost": Case(
        rising={f'stoker_source_gap_total{{{NODE},source="kernel"}}': (0, 1)},
        labels=node(source="kernel"),
        summary=(
            "gpu-1: lines of the kernel log were lost before they were read; a fault may have "
            "been among them."
        ),
        after=4,
        clears=40,
    ),
    "StokerDriftLeft": Case(
        sick={f'stoker_drift_left{{{NODE},kind="disruptive"}}': (0, 2)},
        labels=node(kind="disruptive"),
        summary=(
            "gpu-1: 2 things are not as released, and are not put right by themselves (disruptive)."
        ),
        quiet=50,
        after=65,
        clears=2,
    ),
    "StokerDriftCheckFails": Case(
        sick={f"stoker_drift_check_failed{{{NODE}}}": (0, 1)},
        labels=node(),
        summary="gpu-1: the check for drift could not tell.",
        quiet=50,
        after=65,
        clears=2,
    ),
    "StokerDriftNotChecked": Case(
        sick={f"stoker_drift_checked_timestamp_seconds{{{NODE}}}": (1e9, 60)},
        labels=node(),
        quiet=80,
        after=120,
        clears=2,
    ),
    "StokerBalancerDown": Case(
        sick={'up{job="stoker-balancer",instance="lb-1"}': (1, 0)},
        labels={"job": "stoker-balancer", "instance": "lb-1"},
        summary="The balancer on lb-1 does not answer.",
        after=3,
        clears=2,
    ),
    "StokerBalancerNoServer": Case(
        sick={
            'haproxy_backend_active_servers{job="stoker-balancer",instance="lb-1",proxy="m"}': (
                2,
                0,
            )
        },
        labels={"job": "stoker-balancer", "instance": "lb-1", "proxy": "m"},
        summary="The balancer on lb-1 has no host left for m.",
        after=3,
        clears=2,
    ),
    "StokerBalancerQueueLong": Case(
        sick={
            'haproxy_backend_current_queue{job="stoker-balancer",instance="lb-1",proxy="m"}': (
                3,
                70,
            )
        },
        labels={"job": "stoker-balancer", "instance": "lb-1", "proxy": "m"},
        summary="70 requests for m wait in the balancer on lb-1.",
        quiet=1,
        after=4,
        clears=2,
    ),
    "StokerAlertsNotSent": Case(
        rising={
            'alertmanager_notifications_failed_total{job="alertmanager",instance="eye-1",'
            'integration="webhook"}': (0, 1)
        },
        labels={"job": "alertmanager", "instance": "eye-1", "integration": "webhook"},
        summary="eye-1 could not pass alerts on: do not rely on silence.",
        after=9,
        clears=20,
    ),
    "StokerRulesFail": Case(
        rising={
            'prometheus_rule_evaluation_failures_total{job="prometheus",instance="eye-1",'
            'rule_group="g"}': (0, 1)
        },
        labels={"job": "prometheus", "instance": "eye-1", "rule_group": "g"},
        summary="Prometheus on eye-1 cannot evaluate rules of g.",
        after=9,
        clears=20,
    ),
    "StokerConfigNotLoaded": Case(
        sick={
            'prometheus_config_last_reload_successful{job="prometheus",instance="eye-1"}': (1, 0)
        },
        labels={"job": "prometheus", "instance": "eye-1"},
        summary=("prometheus on eye-1 runs with its former configuration: the new one is refused."),
        quiet=3,
        after=7,
        clears=2,
    ),
}

# A fleet that is well: what every case begins from, unless it says otherwise.
WELL: dict[str, float | None] = {
    f"up{{{NODE}}}": 1,
    'up{job="stoker-balancer",instance="lb-1"}': 1,
    f'stoker_engine_info{{{ENGINE},kind="vllm",model="org/m"}}': 1,
    'stoker:model_hosts:wanted{model="org/m"}': 1,
    f"stoker_engine_requests_running{{{ENGINE}}}": 12,
    f"stoker_engine_requests_running_max{{{ENGINE}}}": 256,
    f"stoker_engine_requests_waiting{{{ENGINE}}}": 0,
    f"stoker_engine_kv_use_ratio{{{ENGINE}}}": 0.4,
    f"stoker_engine_restarts_left{{{ENGINE}}}": 3,
    f"stoker_engine_restarts_max{{{ENGINE}}}": 3,
    f"stoker_engine_advice{{{ENGINE}}}": 0,
    f"stoker_engine_capacity_ratio{{{ENGINE}}}": 1,
    phase("SERVING"): 1,
    **{phase(name): 0 for name in ("STARTING", "DRAINING", "DRAINED", "QUARANTINED")},
    f"stoker_last_tick_timestamp_seconds{{{NODE}}}": 1e9,
    f"stoker_certificate_expiry_seconds{{{NODE}}}": 60 * 86400,
    f"stoker_gpu_blind{{{NODE}}}": 0,
    f"stoker_gateway_deaf{{{NODE}}}": 0,
    **{
        f'stoker_incidents_open{{{NODE},remedy="{remedy}"}}': 0
        for remedy in ("undecided", "none", "drain", "restart", "reset", "reboot", "quarantine")
    },
    f"stoker_drift_checked_timestamp_seconds{{{NODE}}}": 1e9,
    f"stoker_drift_check_failed{{{NODE}}}": 0,
    f'stoker_drift_left{{{NODE},kind="safe"}}': 0,
    'haproxy_backend_active_servers{job="stoker-balancer",instance="lb-1",proxy="m"}': 2,
    'haproxy_backend_current_queue{job="stoker-balancer",instance="lb-1",proxy="m"}': 0,
    'prometheus_config_last_reload_successful{job="prometheus",instance="eye-1"}': 1,
    'alertmanager_config_last_reload_successful{job="alertmanager",instance="eye-1"}': 1,
}
RISING: dict[str, float] = {
    f"stoker_engine_generated_tokens_total{{{ENGINE}}}": 6000,
    f"stoker_engine_prompt_tokens_total{{{ENGINE}}}": 9000,
    f"stoker_engine_cached_prompt_tokens_total{{{ENGINE}}}": 3000,
    f'stoker_engine_requests_total{{{ENGINE},outcome="done"}}': 60,
    f'stoker_engine_requests_total{{{ENGINE},outcome="failed"}}': 0,
    bucket("queue", "0.5"): 60,
    bucket("queue", "2.5"): 60,
    bucket("queue", "+Inf"): 60,
    f"stoker_engine_token_seconds_sum{{{ENGINE}}}": 3,
    f"stoker_engine_token_seconds_count{{{ENGINE}}}": 60,
    f'stoker_gateway_requests_total{{{NODE},model="m",tenant="t",status="2xx"}}': 60,
    f'stoker_source_gap_total{{{NODE},source="kernel"}}': 0,
    'prometheus_notifications_errors_total{job="prometheus",instance="eye-1"}': 0,
}
