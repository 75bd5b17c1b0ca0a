"""agent: the agent's unit, and the unit of its engines; started again only if it runs with less."""

from pyinfra import host
from pyinfra.api.deploy import deploy
from pyinfra.api.hiddenvalue import HiddenValue

from agent.engines import longest_stop
from agent.spec import HostSpec
from fleet import control_files, program
from fleet.disruption import Disruption
from fleet.facts.bare import Bare
from fleet.operations.file import file
from fleet.operations.link import absent, link
from fleet.operations.secret_file import secret_file
from fleet.operations.units import unit_current, unit_known
from fleet.render import render

DISRUPTION = Disruption.NONE
UNIT = "/etc/systemd/system/stoker-agent.service"
ENGINE_UNIT = "/etc/systemd/system/stoker-engine@.service"
RESET_UNIT = "/etc/systemd/system/stoker-reset@.service"
WEBHOOK = "/etc/stoker/secrets/webhook"
POLKIT = "/etc/polkit-1/rules.d/50-stoker.rules"
# In the order in which the agent makes the digest of what it was started with.
SPEC = "/etc/stoker/host.json"
FILES = [SPEC, UNIT, "/opt/stoker/venv/stamp"]
PROGRAMS = ("stokerctl", "stoker-release", "stoker-weights")
MARGIN = 60  # seconds that a runner has beyond the engine's own stop


@deploy("agent")
def place(spec: HostSpec, found: Bare) -> None:
    """Put the program and the spec in place; what runs goes on with the former ones."""
    target = f"venvs/{program.stamp(found.python)}"
    link(name="link /opt/stoker/venv", path="/opt/stoker/venv", target=target)
    for command in host.loop(PROGRAMS):
        path = f"/usr/local/bin/{command}"
        link(name=f"link {path}", path=path, target=f"/opt/stoker/venv/bin/{command}")
    file(name=f"place {SPEC}", path=SPEC, content=spec.dump().decode())


@deploy("agent")
def apply(spec: HostSpec) -> None:
    """Run the agent. Engines and traffic go on while it is started again."""
    file(name=f"place {POLKIT}", path=POLKIT, content=render("50-stoker.rules", spec=spec))
    if spec.engines:
        seconds = int(longest_stop(spec.engines)) + MARGIN
        unit = render("stoker-engine@.service", stop_seconds=seconds)
        file(name=f"place {ENGINE_UNIT}", path=ENGINE_UNIT, content=unit)
    if spec.agent.arm_reset:
        file(name=f"place {RESET_UNIT}", path=RESET_UNIT, content=render("stoker-reset@.service"))
    else:
        absent(name=f"remove {RESET_UNIT}", path=RESET_UNIT)
    if spec.agent.webhook_secret_file:
        secret = HiddenValue(control_files.text(spec.agent.webhook_secret_file).strip())
        secret_file(name=f"place {WEBHOOK}", path=WEBHOOK, content=secret)
    else:
        absent(name=f"remove {WEBHOOK}", path=WEBHOOK)
    unit = render("stoker-agent.service", spec=spec, webhook_secret=WEBHOOK)
    file(name=f"place {UNIT}", path=UNIT, content=unit)
    engines = [f"stoker-engine@{name}.service" for name in spec.engines]
    unit_known(name="read the units", units=["stoker-agent.service", *engines])
    unit_current(
        name="run the agent with this",
        unit="stoker-agent.service",
        files=FILES,
        stamp="/run/stoker/agent.json",
    )
