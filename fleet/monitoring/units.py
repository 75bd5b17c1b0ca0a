"""How Prometheus and Alertmanager are started: drop-ins for the distribution's units. Pure.

Two stamps: what a program was started with (another command line needs a restart), and what it has
read (other files need only a reload).
"""

from msgspec import Struct

from agent.monitoring_spec import bracketed
from agent.spec import HostSpec
from fleet.monitoring import alertmanager, prometheus
from fleet.monitoring.prometheus import DIRECTORY
from fleet.render import render


class Program(Struct, frozen=True, kw_only=True):
    """One of the two; `files` is what it reads again when it is told to."""

    name: str
    command: tuple[str, ...]
    conf: str
    files: tuple[str, ...]

    @property
    def unit(self) -> str:
        """The distribution's unit."""
        return f"{self.name}.service"

    @property
    def drop_in(self) -> str:
        """Our additions to it."""
        return f"/etc/systemd/system/{self.unit}.d/stoker.conf"

    @property
    def started(self) -> str:
        """The stamp of its command line."""
        return f"/run/stoker-{self.name}.started"

    @property
    def read(self) -> str:
        """The stamp of its files."""
        return f"/run/stoker-{self.name}.read"

    @property
    def listing(self) -> str:
        """A file with the paths of `files`: with these in the drop-in, each would be a restart."""
        return f"{DIRECTORY}/{self.name}.files"

    def text(self) -> str:
        """Return the drop-in."""
        return render(
            "prometheus.service.d",
            conf=self.conf,
            flags=self.drop_in,
            started=self.started,
            listing=self.listing,
            read=self.read,
            command=" ".join(self.command),
        )


def programs(spec: HostSpec) -> tuple[Program, Program]:
    """Return both."""
    monitoring, listen = spec.monitoring, bracketed(spec.monitoring.listen)
    token = (alertmanager.TOKEN,) if monitoring.webhook_token_file else ()
    return (
        Program(
            name="prometheus",
            conf=prometheus.CONF,
            files=(prometheus.CONF, *sorted(prometheus.rule_files(spec))),
            command=(
                "/usr/bin/prometheus",
                f"--config.file={prometheus.CONF}",
                "--storage.tsdb.path=/var/lib/prometheus/metrics2/",
                f"--storage.tsdb.retention.time={monitoring.retention_days}d",
                f"--storage.tsdb.retention.size={monitoring.retention_gib}GB",
                f"--web.listen-address={listen}:{monitoring.port}",
            ),
        ),
        Program(
            name="prometheus-alertmanager",
            conf=alertmanager.CONF,
            files=(alertmanager.CONF, *token),
            command=(
                "/usr/bin/prometheus-alertmanager",
                f"--config.file={alertmanager.CONF}",
                "--storage.path=/var/lib/prometheus/alertmanager/",
                f"--web.listen-address={listen}:{monitoring.alertmanager_port}",
                "--cluster.listen-address=",  # it is alone
            ),
        ),
    )
