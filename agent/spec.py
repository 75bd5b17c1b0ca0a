"""`HostSpec`: the desired configuration of one host, as one frozen value.

The control machine makes it from flat `group_data` keys (`spec_load.from_data`), the deploy
renders it, and the agent reads that very value back from `/etc/stoker/host.json`.
A secret never stands here: only the path under which the control machine finds it.

To add a setting: a field here (an engine's: in `engine_spec`), and its line with a comment in
`group_data/all.py` (a test keeps the two equal).
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta, field

from agent import flat, rules
from agent.balancer_spec import BalancerSpec
from agent.engine_spec import EngineSpec, folder
from agent.errors import SpecError
from agent.machine_spec import BaseSpec, DriverSpec, FirewallSpec, RuntimeSpec
from agent.monitoring_spec import MonitoringSpec
from agent.scaling_spec import ScalingSpec
from agent.spec_types import (
    AbsolutePath,
    Count,
    HttpUrl,
    Network,
    Port,
    Seconds,
    Section,
    ServerNames,
)

__all__ = [
    "SECTIONS",
    "AgentSpec",
    "BalancerSpec",
    "BaseSpec",
    "CheckSpec",
    "DriftSpec",
    "DriverSpec",
    "EngineSpec",
    "FirewallSpec",
    "GatewaySpec",
    "HostSpec",
    "ModelSpec",
    "MonitoringSpec",
    "RolloutSpec",
    "RuntimeSpec",
    "ScalingSpec",
    "digest",
    "load",
    "weights_path",
]


class ModelSpec(Section, frozen=True, kw_only=True):
    """Where weights come from and where they lie."""

    hub: HttpUrl = "https://huggingface.co"
    token_file: str | None = None
    lock_file: str | None = "models.lock"
    source_dir: AbsolutePath | None = None
    root: AbsolutePath = "/var/lib/stoker/models"
    download_deadline: Seconds = 6 * 3600.0
    disk_floor_gib: Annotated[int, Meta(ge=0)] = 2


class GatewaySpec(Section, frozen=True, kw_only=True):
    """nginx on the node: TLS, keys, limits, the gate."""

    server_name: ServerNames = "_"
    tls: Literal["files", "local-ca", "acme"] = "files"
    tls_cert_file: str = ""
    tls_key_file: str = ""
    local_ca_dir: str = "local-ca"
    acme_directory: HttpUrl = "https://acme-v02.api.letsencrypt.org/directory"
    acme_email: str | None = None
    acme_ca_file: str | None = None
    keys_file: str = ""
    bad_keys_per_minute: Count = 60
    requests_per_second: Annotated[float, Meta(ge=1)] = 20
    burst: Annotated[int, Meta(ge=0)] = 40
    connections_per_key: Count = 64
    connections_per_address: Count = 2048
    max_body_mib: Count = 32
    read_timeout: Seconds = 600.0
    retry_after: Annotated[int, Meta(ge=1)] = 15
    balancers: tuple[Network, ...] = ()


class AgentSpec(Section, frozen=True, kw_only=True):
    """The agent's manners: what it watches, how patient it is, what it may do."""

    listen: str = "127.0.0.1"
    port: Port = 9750
    tick: Annotated[float, Meta(ge=0.1, le=60)] = 1.0
    remediation: Literal["observe", "act"] = "act"
    failures: Count = 2
    successes: Count = 1
    restart_budget: Annotated[int, Meta(ge=0)] = 3
    restart_window: Seconds = 600.0
    backoff: Seconds = 5.0
    backoff_cap: Seconds = 300.0
    companion_window: Seconds = 5.0
    arm_reset: bool = False
    arm_reboot: bool = False
    resets_per_day: Count = 2
    reboots_per_day: Count = 2
    reboots_per_week: Count = 3
    verify_window: Seconds = 600.0
    acts_per_hour: Count = 4
    fleetlock_url: HttpUrl | None = None
    fleetlock_group: Annotated[
        str,
        Meta(
            pattern=r"^([a-zA-Z0-9.-]|\{model\})+\Z",
            description="letters, digits, '.' and '-', and {model} for the model's name",
        ),
    ] = "stoker.{model}"
    check_port: Port = 9751
    webhook_url: HttpUrl | None = None
    webhook_secret_file: str | None = None


class CheckSpec(Section, frozen=True, kw_only=True):
    """What the agent's checks make of what they see."""

    xid: dict[str, str] = field(default_factory=dict)
    off: tuple[str, ...] = ()
    disk_floor_gib: Annotated[int, Meta(ge=0)] = 5
    slowdown_share: Annotated[float, Meta(gt=0, le=1)] = 0.6
    streams_broken: Annotated[float, Meta(ge=0, lt=1)] = 0.02


class RolloutSpec(Section, frozen=True, kw_only=True):
    """How a change goes over the hosts, and what is kept to go back to."""

    strategy: Literal["rolling", "blue/green", "swap"] | None = None
    batch: Count = 1
    slot_wait: Seconds = 1800.0
    revert: bool = True
    keep: Count = 3


class DriftSpec(Section, frozen=True, kw_only=True):
    """The check that cron runs on the node."""

    enabled: bool = True
    every_minutes: Annotated[int, Meta(ge=5, le=60)] = 30
    splay: Annotated[int, Meta(ge=0)] = 300
    mode: Literal["correct", "report"] = "correct"
    window: (
        Annotated[
            str,
            Meta(
                pattern=r"^((Mon|Tue|Wed|Thu|Fri|Sat|Sun)(,(Mon|Tue|Wed|Thu|Fri|Sat|Sun))* )?"
                r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d\Z",
                description="hours of the host's clock, such as '02:00-04:30' or "
                "'Sat,Sun 22:00-02:00'",
            ),
        ]
        | None
    ) = None
    corrections_per_day: Count = 3


class HostSpec(Section, frozen=True, kw_only=True):
    """Everything that is desired of one host."""

    schema: Literal[1] = 1
    name: str
    base: BaseSpec = BaseSpec()
    firewall: FirewallSpec = FirewallSpec()
    driver: DriverSpec
    runtime: RuntimeSpec
    model: ModelSpec
    gateway: GatewaySpec
    agent: AgentSpec
    check: CheckSpec = CheckSpec()
    rollout: RolloutSpec = RolloutSpec()
    drift: DriftSpec
    scaling: ScalingSpec = ScalingSpec()
    balancer: BalancerSpec = BalancerSpec()
    monitoring: MonitoringSpec = MonitoringSpec()
    engines: dict[str, EngineSpec]

    @property
    def roles(self) -> tuple[str, ...]:
        """What the host is beside a node with engines; without a role it must have some."""
        wanted = {"balancer": self.balancer.enabled, "monitoring": self.monitoring.enabled}
        return tuple(role for role, has in wanted.items() if has)

    @classmethod
    def from_data(cls, name: str, data: Mapping[str, object]) -> Self:
        """Make the spec of host `name` from flat keys; raise `SpecError` that lists every fault."""
        sections, engines, faults = flat.split(data, SECTIONS, EngineSpec)
        if not faults:
            spec = cls(name=name, engines=engines, **sections)
            faults = rules.faults(spec)
        if faults:
            raise SpecError("\n".join(f"{name}: {fault}" for fault in faults))
        # In the order that the node reads it back: what is rendered here and there is the same.
        return msgspec.json.decode(spec.dump(), type=cls)

    def dump(self) -> bytes:
        """Return the canonical JSON that lies in `/etc/stoker/host.json` (sorted, indented)."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=2) + b"\n"


SECTIONS: dict[str, type[Section]] = {
    "base": BaseSpec,
    "firewall": FirewallSpec,
    "driver": DriverSpec,
    "runtime": RuntimeSpec,
    "model": ModelSpec,
    "gateway": GatewaySpec,
    "agent": AgentSpec,
    "check": CheckSpec,
    "rollout": RolloutSpec,
    "drift": DriftSpec,
    "scaling": ScalingSpec,
    "balancer": BalancerSpec,
    "monitoring": MonitoringSpec,
}


def load(data: bytes) -> HostSpec:
    """Read back what `dump` wrote; raise `msgspec.ValidationError` naming the field."""
    return msgspec.json.decode(data, type=HostSpec)


def digest(value: msgspec.Struct) -> str:
    """Return 16 hex digits that change whenever any field of `value` changes."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]


def weights_path(model: ModelSpec, engine: EngineSpec) -> str:
    """Return the directory on the node that holds the engine's weights, one per commit."""
    return f"{model.root}/{folder(engine.model, engine.revision)}"
