"""Whom Alertmanager tells, and of what. Pure."""

from agent.spec import HostSpec
from fleet.monitoring.prometheus import DIRECTORY
from fleet.release import given
from fleet.render import render

CONF = f"{DIRECTORY}/alertmanager.yml"
TOKEN = f"{DIRECTORY}/webhook-token"


def conf(spec: HostSpec) -> str:
    """Return the operator's own configuration, or one with the webhook, if there is any."""
    monitoring = spec.monitoring
    if monitoring.alertmanager_file:
        return given.place(monitoring.alertmanager_file).read_text().rstrip("\n") + "\n"
    token = TOKEN if monitoring.webhook_token_file else None
    return render("alertmanager.yml", url=monitoring.webhook_url, token=token)
