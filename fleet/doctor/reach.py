"""Asking the doctor of each host: the edge to pyinfra. No host is changed."""

import time
from collections.abc import Collection

import msgspec
from gevent.pool import Pool
from pyinfra.api import FactBase
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.facts import get_fact
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state
from typing_extensions import override

from agent.doctor.finding import Report
from fleet import ssh_tuning
from fleet.plan.dry import Unreached

AT_ONCE = 40  # hosts asked in parallel
ABSENT = "no stokerctl"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a host answered; without a report, `problem` says why in a sentence.

    `asked` and `answered` are this machine's clock at both ends, in seconds since 1970.
    """

    report: Report | None = None
    problem: str = ""
    asked: float = 0.0
    answered: float = 0.0


class Diagnosis(FactBase[str]):
    """Runs the doctor of the host; its exit code says only what the document says too."""

    @override
    @staticmethod
    def default() -> str:
        return ""

    @override
    def command(self) -> str:
        program = "/opt/stoker/venv/bin/stokerctl"
        return (
            f"if [ -x {program} ]; then {program} doctor --json 2>&1 || true; "
            f"else echo '{ABSENT}'; fi"
        )

    @override
    def process(self, output: list[str]) -> str:
        return "\n".join(output)


def ask(inventory: Inventory, names: Collection[str]) -> dict[str, Answer]:
    """Connect to the hosts with these names, ask each, and disconnect."""
    ssh_tuning.no_delay()
    ssh_tuning.quiet()
    state, unreached = ctx_state.get(), Unreached()
    ctx_inventory.set(inventory)
    config = Config()
    ctx_config.set(config)
    wanted = [host for host in inventory if host.name in names]
    state.init(inventory, config, initial_limit=wanted)
    state.add_callback_handler(unreached)
    state.set_stage(StateStage.Connect)
    try:
        try:
            connect_all(state)
        except PyinfraError:  # no host is left, says it; each is told of below
            if state.active_hosts:
                raise
        here = [host for host in wanted if host in state.activated_hosts]
        found = dict(zip((host.name for host in here), Pool(AT_ONCE).map(_one, here), strict=True))
    finally:
        disconnect_all(state)
    return {host.name: found.get(host.name) or _absent(host, unreached) for host in wanted}


def _absent(host: Host, unreached: Unreached) -> Answer:
    why = unreached.why.get(host.name, "no answer")
    return Answer(problem=f"cannot be reached over SSH: {why}")


def _one(host: Host) -> Answer:
    asked = time.time()
    try:
        with ctx_host.use(host):
            told: str = get_fact(host.state, host, Diagnosis, apply_failed_hosts=False)
    except (PyinfraError, OSError, EOFError) as error:
        return Answer(problem=f"cannot be looked at: {error or 'sudo wants a password'}")
    return read(told, asked, time.time())


def read(told: str, asked: float, answered: float) -> Answer:
    """Make an answer of what the host printed."""
    if told.strip() == ABSENT:
        return Answer(problem="has no doctor yet: deploy it first")
    try:
        report = msgspec.json.decode(told, type=Report)
    except msgspec.DecodeError:
        last = told.strip().splitlines()[-1:] or ["it says nothing"]
        if "invalid choice" in last[0]:
            last = ["an older version is deployed, which has no doctor; deploy it again"]
        return Answer(problem=f"its doctor gives no report: {last[0][:200]}")
    return Answer(report=report, asked=asked, answered=answered)
