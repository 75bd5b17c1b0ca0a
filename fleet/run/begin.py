"""Where a run begins to be one: hosts and inventory locked, and the run watched until it ends."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from weakref import WeakKeyDictionary

from pyinfra.api.state import State

from fleet import guard, locking, memo, specs
from fleet.errors import RefusedError
from fleet.guard import StopAtFirstFailure
from fleet.release import given
from fleet.run import events, hooks, summary, watch
from fleet.run.watch import Run
from fleet.stages import release

_guard = Lock()
_runs: WeakKeyDictionary[State, Run] = WeakKeyDictionary()


def once(state: State, reason: str, pythons: Mapping[str, str]) -> None:
    """Begin the run, once for all hosts; `pythons` maps each to the version of its Python.

    Raises `RefusedError` with who has a host, or which hook cannot be run.
    """
    if given.release() is not None:  # a part of somebody's act on a node, who tells of it
        locking.take(state, reason)
        state.add_callback_handler(StopAtFirstFailure())
        return
    with _guard:
        if state in _runs:
            return
        where = hooks.directory()
        if wrong := hooks.faults(where):
            raise RefusedError(wrong)
        wanted = [one for one in state.inventory if one.name in pythons]
        releases = {one.name: release.about(specs.of(one), pythons[one.name]).id for one in wanted}
        run = Run(
            state,
            reason,
            guard.inventory(),
            releases,
            partial(_hook, state, where),
        )
        locking.take(state, reason, run)
        state.add_callback_handler(StopAtFirstFailure())
        state.add_callback_handler(run)
        _runs[state] = run
        run.locked()


def _hook(state: State, where: Path, name: str, facts: Mapping[str, str]) -> str:
    """Run a hook; it may have changed the hosts, so what was seen there before it is forgotten."""
    try:
        return hooks.run(name, facts, where, tell=watch.say)
    finally:
        if (where / name).exists():
            memo.forget(state.inventory)


def finish() -> None:
    """End the run of this process, if there is one; who reads the terminal is told how."""
    for run in list(_runs.values()):
        end = run.finish()
        if not events.wanted() and any(one.verdict != "done" for one in end.hosts):
            print("\n".join(summary.lines(end)), file=sys.stderr)
    _runs.clear()
