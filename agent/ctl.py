"""`stokerctl`: look at this node's agent, and ask it for something.

Exit codes: 0 done · 1 not reached, or refused · 2 wrong use · 3 the wait ended without success.
"""

import argparse
import getpass
import json
import os
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from agent import client, show
from agent.errors import StokerError
from agent.model import Phase, Verb
from agent.paths import Paths
from agent.snapshot import EngineView

GOALS = {
    Verb.DRAIN: frozenset({Phase.DRAINED, Phase.QUARANTINED}),
    Verb.UNDRAIN: frozenset({Phase.SERVING}),
    Verb.RESTART: frozenset({Phase.SERVING, Phase.DRAINED}),
}


def main(
    arguments: Sequence[str] | None = None, pause: Callable[[float], None] = time.sleep
) -> int:
    """Run one command; `pause` passes the seconds between two looks of a wait."""
    options = _parser().parse_args(arguments)
    agent = client.Agent(options.socket)
    try:
        if options.command == "status":
            return _status(agent, as_json=options.json)
        return _ask(agent, Verb(options.command), options, pause)
    except StokerError as error:
        print(f"stokerctl: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stokerctl", description="Talk to this node's agent.")
    parser.add_argument("--socket", default=str(Paths().socket), help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    status = commands.add_parser("status", help="show engines, GPUs and open conditions")
    status.add_argument("--json", action="store_true", help="print the whole document")
    for verb, text in (
        (Verb.DRAIN, "refuse new requests, let those in flight finish"),
        (Verb.UNDRAIN, "serve again; also releases a quarantine"),
        (Verb.RESTART, "drain, restart, and serve again"),
    ):
        command = commands.add_parser(verb, help=text)
        command.add_argument("engine", nargs="?", help="name of the engine; all when left out")
        command.add_argument("--reason", required=True, help="why, for the audit log")
        command.add_argument("--by", default=_person(), help="who asks (default: %(default)s)")
        command.add_argument(
            "--wait", type=float, metavar="SECONDS", help="wait for the outcome at most so long"
        )
        command.add_argument("--json", action="store_true", help="print the engine's state")
    return parser


def _person() -> str:
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _status(agent: client.Agent, *, as_json: bool) -> int:
    snapshot = agent.status()
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(snapshot)).decode())
    else:
        print(show.status(snapshot, now=time.time()))
    return 0


def _ask(
    agent: client.Agent, verb: Verb, options: argparse.Namespace, pause: Callable[[float], None]
) -> int:
    known = list(agent.status().engines)
    names = [options.engine] if options.engine else known
    for name in names:
        agent.ask(verb, name, options.by, options.reason)
    failed = []
    if options.wait:
        late = time.monotonic() + options.wait
        failed = [name for name in names if not _wait(agent, verb, name, late, pause)]
    states = {name: agent.status().engines[name].state for name in names}
    for name, state in states.items():
        if options.json:
            print(json.dumps({"engine": name, **msgspec.to_builtins(state)}))
        else:
            print(f"{name}: {state.phase} {state.reason}: {state.message}")
    return 3 if failed else 0


def _wait(
    agent: client.Agent, verb: Verb, name: str, late: float, pause: Callable[[float], None]
) -> bool:
    """Follow the engine until it is where the verb leads; say why it is not, on stderr."""
    told = ""
    while time.monotonic() < late:
        try:
            snapshot = agent.status()
        except StokerError as error:  # the agent itself may be restarted meanwhile
            line = str(error)
        else:
            state = snapshot.engines[name].state
            if state.phase in GOALS[verb] and _done(verb, snapshot.engines[name]):
                return True
            if state.phase is Phase.QUARANTINED:
                print(show.why_not(name, snapshot), file=sys.stderr)
                return False
            line = f"{name}: {state.phase} {state.reason}: {state.message}"
        if line != told:
            print(line, file=sys.stderr)
            told = line
        pause(0.5)
    print(show.why_not(name, agent.status()), file=sys.stderr)
    return False


def _done(verb: Verb, engine: EngineView) -> bool:
    """A restart is done when what runs is a fresh start of what is wanted, and it answers."""
    if verb is not Verb.RESTART:
        return True
    fresh = engine.running_since is not None and engine.running_since >= engine.state.last_start
    return fresh and engine.running_digest == engine.digest and engine.answering is True


if __name__ == "__main__":
    sys.exit(main())
