"""monitoring: Prometheus and Alertmanager, which watch all hosts; boards, where a Grafana is.

Their files are laid before their packages, so that they never listen where nobody asked them to;
what the two programs would refuse never replaces what works.
"""

from pyinfra import host
from pyinfra.api.deploy import deploy
from pyinfra.api.hiddenvalue import HiddenValue

from agent.spec import HostSpec
from fleet import control_files
from fleet.disruption import Disruption
from fleet.monitoring import alertmanager, grafana, prometheus
from fleet.monitoring.units import Program, programs
from fleet.operations.directories import directories
from fleet.operations.file import file
from fleet.operations.grafana import grafana_current
from fleet.operations.link import absent
from fleet.operations.packages import packages
from fleet.operations.secret_file import secret_file
from fleet.operations.units import unit_current, unit_known
from fleet.render import render

DISRUPTION = Disruption.NONE
PACKAGES = ["prometheus", "prometheus-alertmanager"]
OURS = ("755", "root:root")
READER = "root:prometheus"  # the user that both programs run as


@deploy("monitoring")
def apply(spec: HostSpec) -> None:
    """Watch the hosts that the spec names."""
    both = programs(spec)
    units = [f"/etc/systemd/system/{one.unit}.d" for one in both]
    wanted = [prometheus.DIRECTORY, prometheus.RULES, *units]
    directories(name="make directories", wanted=dict.fromkeys(wanted, OURS))
    for one in both:
        file(name=f"place {one.drop_in}", path=one.drop_in, content=one.text())
    packages(name=f"install {', '.join(PACKAGES)}", names=PACKAGES)
    _prometheus(spec)
    _alertmanager(spec)
    for one in both:
        listed = "".join(f"{path}\n" for path in one.files)
        file(name=f"place {one.listing}", path=one.listing, content=listed)
        unit_known(name=f"read {one.unit}", units=[one.unit], drop_in=one.drop_in)
        _current(one)
    if spec.monitoring.grafana_dir:
        _grafana(spec, spec.monitoring.grafana_dir)


def _prometheus(spec: HostSpec) -> None:
    for path, text in host.loop(prometheus.rule_files(spec).items()):
        file(name=f"place {path}", path=path, content=text, check="promtool check rules")
    nodes, balancers = prometheus.NODES, prometheus.BALANCERS
    file(name=f"place {nodes}", path=nodes, content=prometheus.nodes(spec))
    file(name=f"place {balancers}", path=balancers, content=prometheus.balancers(spec))
    file(
        name=f"place {prometheus.CONF}",
        path=prometheus.CONF,
        content=prometheus.conf(spec),
        check="promtool check config",
    )


def _alertmanager(spec: HostSpec) -> None:
    token, monitoring = alertmanager.TOKEN, spec.monitoring
    if monitoring.webhook_token_file:
        secret = HiddenValue(control_files.text(monitoring.webhook_token_file).strip())
        secret_file(name=f"place {token}", path=token, content=secret, owner="prometheus:root")
    else:
        absent(name=f"remove {token}", path=token)
    file(  # the operator's own may hold secrets
        name=f"place {alertmanager.CONF}",
        path=alertmanager.CONF,
        content=alertmanager.conf(spec),
        mode="640",
        owner=READER,
        check="amtool check-config",
    )


def _current(one: Program) -> None:
    unit_current(
        name=f"run {one.name} as told",
        unit=one.unit,
        files=[one.drop_in],
        stamp=one.started,
    )
    unit_current(
        name=f"run {one.name} with this",
        unit=one.unit,
        files=list(one.files),
        stamp=one.read,
        reload=True,
    )


def _grafana(spec: HostSpec, there: str) -> None:
    """Give an operator's Grafana our boards, and Prometheus as their source."""
    directories(name="make directories for boards", wanted={grafana.BOARDS: OURS})
    for path, text in host.loop(grafana.boards().items()):
        file(name=f"place {path}", path=path, content=text)
    at = f"http://{spec.monitoring.reached_at}:{spec.monitoring.port}"
    source, provider = f"{there}/datasources/stoker.yml", f"{there}/dashboards/stoker.yml"
    file(
        name=f"place {source}",
        path=source,
        content=render("grafana-source.yml", url=at, uid=grafana.SOURCE),
    )
    file(
        name=f"place {provider}",
        path=provider,
        content=render("grafana-boards.yml", path=grafana.BOARDS),
    )
    grafana_current(name="run Grafana with these", files=[source, provider])
