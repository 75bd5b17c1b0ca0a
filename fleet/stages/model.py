"""model: the weights of every engine, verified; the only stage that sees the Hub token."""

from pyinfra import host
from pyinfra.api.deploy import deploy
from pyinfra.api.hiddenvalue import HiddenValue

from agent.engine_spec import folder
from agent.errors import SpecError
from agent.spec import EngineSpec, HostSpec
from agent.weights import lock
from agent.weights.lock import Locked
from fleet import control_files, program, takeover
from fleet.disruption import Disruption
from fleet.errors import RefusedError
from fleet.facts.bare import Bare
from fleet.models import locked
from fleet.operations.directories import directories
from fleet.operations.file import file
from fleet.operations.units import unit_known
from fleet.operations.weights import weights
from fleet.render import render

DISRUPTION = Disruption.NONE
UNIT = "/etc/systemd/system/stoker-weights@.service"
# What the host is going to be: the agent and the engines still go by /etc/stoker/host.json.
COMING = "/etc/stoker/coming"
SPEC = f"{COMING}/host.json"
LOCK = f"{COMING}/{lock.NAME}"


@deploy("model")
def apply(spec: HostSpec, found: Bare) -> None:
    """Fetch what is missing, by the program and the spec of the release that comes."""
    try:
        entries = locked.of(spec)
    except SpecError as error:
        raise RefusedError([f"{spec.name}: {error}"]) from error
    python = f"/opt/stoker/venvs/{program.stamp(found.python)}/bin/python"
    deadline = spec.model.download_deadline
    file(
        name=f"place {UNIT}",
        path=UNIT,
        content=render("stoker-weights@.service", spec=spec, python=python, etc=COMING),
    )
    directories(name="make directories", wanted={COMING: ("755", "root:root")})
    file(name=f"place {SPEC}", path=SPEC, content=spec.dump().decode())
    file(name=f"place {LOCK}", path=LOCK, content=lock.dump(entries))
    unit_known(name="read stoker-weights@.service", units=["stoker-weights@main.service"])
    token = HiddenValue(control_files.token(spec))
    for name, engine in host.loop(spec.engines.items()):
        weights(
            name=f"fetch the weights of {name}: {engine.model}",
            engine=name,
            python=python,
            places=places(spec.model.root, engine, entries),
            code=engine.trust_remote_code,
            token=token,
            caches=takeover.caches(spec, found),
            etc=COMING,
            _timeout=int(deadline) + 60,
        )


def places(root: str, engine: EngineSpec, entries: tuple[Locked, ...]) -> dict[str, str]:
    """Map the directories of what an engine serves to the digests of their lock entries. Pure."""
    found = {}
    for repo, commit in engine.repositories:
        entry = lock.find(entries, repo, commit)
        found[f"{root}/{folder(repo, commit)}"] = entry.digest if entry else ""
    return found
