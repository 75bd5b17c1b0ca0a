"""Asking the agent to drain, undrain or restart engines, and waiting for the outcome."""

import argparse
import json
import sys
import time
from collections.abc import Callable

import msgspec

from agent import client, show
from agent.errors import StokerError
from agent.model import EngineState, Phase, Verb
from agent.snapshot import EngineView

ASK_AGAIN = 2.0  # seconds; the agent forgets one who waits for a slot after `brake.WISH`

GOALS = {
    Verb.DRAIN: frozenset({Phase.DRAINED, Phase.QUARANTINED}),
    Verb.UNDRAIN: frozenset({Phase.SERVING}),
    Verb.RESTART: frozenset({Phase.SERVING, Phase.DRAINED}),
}


def ask(
    agent: client.Agent, verb: Verb, options: argparse.Namespace, pause: Callable[[float], None]
) -> int:
    """Ask for one engine or all, wait if that is wanted, and print where it led; 0, or 3 late.

    With a slot that does not come nothing is touched: 3 as well.
    """
    known = list(agent.status().engines)
    if not known:
        raise StokerError("this host has no engine: there is nothing to ask for")
    names = [options.engine] if options.engine else known
    for name in names:
        if not _asked(agent, verb, name, options, pause):
            return 3
    failed = []
    if options.wait:
        late = time.monotonic() + options.wait
        failed = [name for name in names if not _wait(agent, verb, name, late, pause)]
    states = {name: agent.status().engines[name].state for name in names}
    for name, state in states.items():
        if options.json:
            print(json.dumps({"engine": name, **msgspec.to_builtins(state)}))
        else:
            print(
                f"{name}: {state.phase} {state.reason}: {state.message}{_gap(verb, options, state)}"
            )
    return 3 if failed else 0


def _gap(verb: Verb, options: argparse.Namespace, state: EngineState) -> str:
    """Say what a restart that was waited for has cost."""
    if verb is not Verb.RESTART or not options.wait or state.gap is None:
        return ""
    return f" (its gate was shut for {state.gap:.1f} s)" if state.phase is Phase.SERVING else ""


def _asked(
    agent: client.Agent,
    verb: Verb,
    name: str,
    options: argparse.Namespace,
    pause: Callable[[float], None],
) -> bool:
    """Ask, with a slot of the fleet brake if that is wanted: then again until there is one."""
    slot, late, told = options.slot is not None, time.monotonic() + (options.slot or 0.0), ""
    while True:
        try:
            agent.ask(verb, name, options.by, options.reason, slot=slot)
        except client.NotNowError as error:
            if str(error) != told:
                told = str(error)
                print(told, file=sys.stderr)
            if time.monotonic() >= late:
                print(
                    f"no slot within {options.slot:.0f} s: {name} was not touched", file=sys.stderr
                )
                return False
            pause(ASK_AGAIN)
        else:
            return True


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
