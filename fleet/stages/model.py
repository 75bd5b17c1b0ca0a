"""model: the weights of every engine, verified; the only stage that sees the Hub token."""

from pyinfra import host
from pyinfra.api.deploy import deploy
from pyinfra.api.hiddenvalue import HiddenValue

from agent.spec import HostSpec, weights_path
from fleet import control_files
from fleet.operations.file import file
from fleet.operations.units import unit_known
from fleet.operations.weights import weights
from fleet.render import render

UNIT = "/etc/systemd/system/stoker-weights@.service"


@deploy("model")
def apply(spec: HostSpec) -> None:
    """Fetch what is missing."""
    deadline = spec.model.download_deadline
    file(
        name=f"place {UNIT}",
        path=UNIT,
        content=render("stoker-weights@.service", spec=spec),
    )
    unit_known(name="read stoker-weights@.service", units=["stoker-weights@main.service"])
    token = HiddenValue(control_files.token(spec))
    for name, engine in host.loop(spec.engines.items()):
        weights(
            name=f"fetch the weights of {name}: {engine.model}",
            engine=name,
            directory=weights_path(spec.model, engine),
            code=engine.trust_remote_code,
            token=token,
            _timeout=int(deadline) + 60,
        )
