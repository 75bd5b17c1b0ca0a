"""What moving the driver of a host would do: the edge to the host, and the words for it."""

from collections.abc import Iterator

from pyinfra.api.facts import get_fact
from pyinfra.api.host import Host
from pyinfra.context import ctx_host

from agent.spec import HostSpec
from fleet.driver import moving, verdict
from fleet.facts.apt_simulation import AptSimulation, Simulation
from fleet.facts.bare import Bare
from fleet.facts.driver import DriverState
from fleet.plan.document import DriverMove


def look(host: Host, spec: HostSpec, found: Bare) -> DriverMove | None:
    """Ask the host; None = its driver stays as it is, or there is none yet."""
    recipe = verdict.of(spec, found).recipe
    if recipe is None:
        return None
    with ctx_host.use(host):
        state = get_fact(host.state, host, DriverState, apply_failed_hosts=False)
        move = moving.move(recipe, state)
        if move is None:
            return None
        made = Simulation()
        if move.install:
            prefix = recipe.pin.removeprefix(recipe.pin_prefix)
            arguments = {"names": moving.names(recipe, state), "prefix": prefix}
            made = get_fact(
                host.state, host, AptSimulation, kwargs=arguments, apply_failed_hosts=False
            )
    return DriverMove(
        why=move.why,
        reboot=moving.needs_reboot(recipe, move, state),
        packages=made.moves,
        problem=made.problem,
    )


def told(found: DriverMove) -> Iterator[str]:
    """Say it: why, then a line for each package."""
    reboot = "rebooted, " if found.reboot else ""
    yield f"{found.why}: the host is drained, {reboot}and serves again when its GPUs are proven"
    if found.problem:
        yield f"apt would not do it by its lists of now: {found.problem}"
    for one in found.packages:
        yield f"{one.package} {one.before or 'not installed'} → {one.after or 'removed'}"
