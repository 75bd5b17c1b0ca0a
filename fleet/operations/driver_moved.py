"""A driver that is there moves: engines drained, packages, a reboot, proof, engines back."""

import getpass
from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FunctionCommand, QuoteString, StringCommand, operation

from agent.engines import ENGINES
from agent.spec import HostSpec
from fleet import braking
from fleet.driver import moving
from fleet.driver.recipe import Recipe
from fleet.facts.driver import MARK, DriverState, State
from fleet.facts.engines import AgentStatus, Engine, Status
from fleet.operations.driver import fetch, install
from fleet.operations.engines_current import MARGIN, patience
from fleet.operations.reboot import DEADLINE, reboot
from fleet.operations.stop import fail, failed_hosts

SECONDS = int(DEADLINE + MARGIN)  # for the command that waits for the host
_CTL = "/usr/local/bin/stokerctl"


@operation()
def driver_moved(
    recipe: Recipe, spec: HostSpec, gpus: int
) -> Generator[StringCommand | FunctionCommand]:
    """Bring the driver to the recipe; nothing is touched after another host of the run has failed.

    `gpus` = how many are on the PCI bus: so many must be there at the end.
    """
    state = host.get_fact(DriverState)
    found = moving.move(recipe, state)
    if found is None and not state.waiting:
        host.noop(f"driver {moving.installed(recipe, state)} is as wanted")
        return
    if failed := failed_hosts():
        yield fail(f"the roll stopped at {failed}; the driver of this host was not touched")
        return
    if found is not None:
        if moving.needs_reboot(recipe, found, state) and not spec.driver.reboot:
            yield fail(moving.refusal(found, state))
            return
        status = host.get_fact(AgentStatus)
        if leaving := _leaving(status):
            yield fail(f"engine {leaving}: somebody else is at it; deploy again later")
            return
        if found.install:  # what may fail, or takes long, comes before any engine stops
            yield from fetch(recipe, state)
        yield from _drain(spec, state, status, found.why)
        if found.install:
            yield from install(recipe, state)
        yield from _load(spec)
    yield from _prove(recipe, gpus)
    yield from _undrain(spec, host.get_fact(AgentStatus))


def _load(spec: HostSpec) -> Generator[StringCommand | FunctionCommand]:
    state = host.get_fact(DriverState)
    if moving.reboots(state) and not spec.driver.reboot:
        yield fail(moving.refusal(moving.Move("another module is installed now", True), state))
    elif moving.reboots(state):
        yield from reboot()
    else:
        yield StringCommand("modprobe nvidia && systemctl restart nvidia-persistenced.service")


def _prove(recipe: Recipe, gpus: int) -> Generator[StringCommand]:
    if sentence := moving.proof(recipe, host.get_fact(DriverState), gpus):
        yield fail(f"the driver did not come up as it should: {sentence}; engines stay drained")


def _leaving(status: Status) -> str:
    """Return the engines that a person is just draining: he may wait for something."""
    return ", ".join(
        name
        for name, engine in status.engines.items()
        if engine.state.phase == "DRAINING" and not _ours(engine)
    )


def _drain(spec: HostSpec, state: State, status: Status, why: str) -> Generator[StringCommand]:
    """Yield what drains the engines that serve, and notes them; a person's drain stays his."""
    serving = [
        name
        for name in spec.engines
        if name in status.engines and status.engines[name].state.phase in {"SERVING", "STARTING"}
    ]
    noted = sorted({*serving, *state.waiting})
    if serving:
        yield StringCommand("echo", QuoteString(" ".join(noted)), f">{MARK}")
    back = [part for name in noted for part in (*_ask("undrain", name, "not moved"), ";")]
    for name in serving:
        engine = spec.engines[name]
        seconds = ENGINES[engine.kind].stop_deadline(engine) + MARGIN
        slot = braking.slot_wait(spec)
        late = f"engine {name} was not drained within {seconds:.0f} s: the driver was not moved"
        yield StringCommand(
            *_ask("drain", name, braking.reason(why, spec)), f"--wait {seconds:.0f}",
            *([f"--slot {slot:.0f}"] if slot else []), "|| {", *back, f"rm -f {MARK}; echo",
            QuoteString(f"{late}, and it serves again"), ">&2; exit 1; }",
            _timeout=int(seconds + slot + MARGIN),
        )  # fmt: skip


def _undrain(spec: HostSpec, status: Status) -> Generator[StringCommand]:
    """Yield what lets those serve that we drained, if nobody drained them again meanwhile."""
    for name in host.get_fact(DriverState).waiting:
        engine = status.engines.get(name)
        if name not in spec.engines or engine is None or engine.state.phase == "SERVING":
            continue
        if not _ours(engine):
            continue
        seconds = patience(spec.engines[name])
        yield StringCommand(
            *_ask("undrain", name, "the driver has moved"), f"--wait {seconds:.0f}",
            _timeout=int(seconds + MARGIN),
        )  # fmt: skip
    yield StringCommand(f"rm -f {MARK}")


def _ask(verb: str, engine: str, reason: str) -> tuple[str | QuoteString, ...]:
    by = f"deploy:{getpass.getuser()}"
    return (
        f"{_CTL} {verb}", QuoteString(engine), "--by", QuoteString(by), "--reason",
        QuoteString(reason),
    )  # fmt: skip


def _ours(engine: Engine) -> bool:
    return engine.state.by.startswith("deploy:")
