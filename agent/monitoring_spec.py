"""`MonitoringSpec`: what watches all hosts of an inventory."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from agent.peers import Peer
from agent.spec_types import AbsolutePath, Count, HttpUrl, Network, Port, Section


class MonitoringSpec(Section, frozen=True, kw_only=True):
    """`peers`: the hosts to watch, itself among them; None = all of the inventory, put in here."""

    enabled: bool = False
    peers: tuple[Peer, ...] | None = None
    listen: str = "127.0.0.1"
    port: Port = 9090
    alertmanager_port: Port = 9093
    read_from: tuple[Network, ...] = ()
    interval: Annotated[int, Meta(ge=5, le=60, description="seconds, 5 to 60")] = 15
    retention_days: Count = 30
    retention_gib: Count = 10
    rules_files: tuple[str, ...] = ()
    runbooks: str = "docs/runbooks"
    webhook_url: HttpUrl | None = None
    webhook_token_file: str | None = None
    alertmanager_file: str | None = None
    grafana_dir: AbsolutePath | None = None

    @property
    def loopback(self) -> bool:
        """Whether only programs of the host itself reach Prometheus and Alertmanager."""
        return self.listen.startswith("127.") or self.listen in {"localhost", "::1"}

    @property
    def reached_at(self) -> str:
        """The address at which a program of the host itself reaches them, ready for a port."""
        return "127.0.0.1" if self.listen in {"0.0.0.0", "::"} else bracketed(self.listen)  # noqa: S104

    def files(self) -> tuple[str, ...]:
        """Return the files of the control machine that it names."""
        named = (*self.rules_files, self.webhook_token_file, self.alertmanager_file)
        return tuple(path for path in named if path)


def bracketed(address: str) -> str:
    """Return an address as it stands in front of a port."""
    return f"[{address}]" if ":" in address else address


def faults(spec: MonitoringSpec) -> Iterator[str]:
    """Yield one sentence for each combination that cannot work."""
    if spec.alertmanager_file and (spec.webhook_url or spec.webhook_token_file):
        yield (
            "monitoring_alertmanager_file: is a whole configuration of its own; put the webhook "
            "there, and unset monitoring_webhook_url and monitoring_webhook_token_file"
        )
    if spec.webhook_token_file and not spec.webhook_url:
        yield "monitoring_webhook_token_file: is for monitoring_webhook_url, which is not set"
    if spec.read_from and spec.loopback:
        yield (
            f"monitoring_read_from: nobody reaches monitoring_listen = {spec.listen!r} from "
            'outside; set that to "0.0.0.0", or to an address of the host'
        )
    names = [path.rpartition("/")[2] for path in spec.rules_files]
    if len(set(names)) < len(names):
        yield "monitoring_rules_files: two files have the same name; each needs its own"
