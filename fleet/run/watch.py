"""Follows a run from inside pyinfra: tells its events, runs hooks, has the hosts write it down.

A host that somebody else has taken away from us, and a hook that says no, end the run before the
next operation.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import BaseStateCallback, State

from fleet import holder, locking
from fleet.applying import When
from fleet.run import events, results
from fleet.run.events import (
    AnyEvent,
    Began,
    Changed,
    Ended,
    Finished,
    Locked,
    Operation,
    Said,
    Turn,
)

if TYPE_CHECKING:
    from fleet.batching import Batch

TURN = "rollout | now "
PLAN = "STOKER_PLAN"  # the digest of the plan that was shown for this run
Hook = Callable[[str, Mapping[str, str]], str]


class Run(BaseStateCallback):
    """One run. `releases` maps each host to the release that it is to have."""

    def __init__(
        self, state: State, reason: str, inventory: str, releases: Mapping[str, str], hook: Hook
    ) -> None:
        self._state, self._reason, self._inventory = state, reason, inventory
        self._releases, self._hook = releases, hook
        self._turns, self._begun = 0, False
        self._open: dict[str, str] = {}  # the facts of a batch whose hook after it is due
        self.reached: set[str] = set()
        self.problem = ""

    @property
    def hosts(self) -> list[Host]:
        """The hosts of the run, in inventory order."""
        ours = self._state.activated_hosts
        return [one for one in self._state.inventory if one in ours and one.name in self._releases]

    # -- what hosts write down: `locking.Log`

    def began(self, host: Host) -> locking.Line:
        """See `locking.Log`."""
        return {"event": "deploy", **self._line(host)}

    def ended(self, host: Host) -> locking.Line:
        """See `locking.Log`."""
        found = results.of(self._state, host, self.reached)
        event = {"done": "deployed"}.get(found.verdict, f"deploy {found.verdict}")
        failed = {"failed": found.failed} if found.failed else {}
        return {
            "event": event.replace(" ", "-"),
            **self._line(host),
            "changes": len(found.changed),
            **failed,
        }

    def _line(self, host: Host) -> locking.Line:
        plan = os.environ.get(PLAN)
        release = self._releases.get(host.name, "")
        line = {"by": holder.me("").by, "reason": self._reason, "release": release}
        return {**line, **({"plan": plan} if plan else {})}

    # -- what pyinfra calls; it declares them static, and calls them on the instance

    def operation_start(  # type: ignore[override]
        self, state: State, op_hash: str
    ) -> None:
        """Stop here, or go on with hooks, and tell."""
        if not self._begun:
            self._begin(state)
        [name] = state.op_meta[op_hash].names
        if name.startswith(TURN):
            self._turn(state)
        if other := locking.lost(state):  # also while a hook took its time
            raise self._stop(f"stopped: {other}")
        hosts = (one.name for one in state.inventory if self._does(state, one, op_hash))
        tell(Operation(at=time.time(), name=name, hosts=tuple(hosts)))

    def operation_host_success(  # type: ignore[override]
        self,
        state: State,  # noqa: ARG002
        host: Host,
        op_hash: str,  # noqa: ARG002
        retry_count: int = 0,  # noqa: ARG002
    ) -> None:
        """Tell."""
        tell(Finished(at=time.time(), host=host.name))

    def operation_host_error(  # type: ignore[override]
        self,
        state: State,  # noqa: ARG002
        host: Host,
        op_hash: str,  # noqa: ARG002
        retry_count: int = 0,  # noqa: ARG002
        max_retries: int = 0,  # noqa: ARG002
    ) -> None:
        """Tell."""
        tell(Finished(at=time.time(), host=host.name, failed=True))

    def operation_end(self, state: State, op_hash: str) -> None:  # type: ignore[override]
        """Tell where it changed something: only now pyinfra knows."""
        [name] = state.op_meta[op_hash].names
        done = [one for one in state.inventory if self._does(state, one, op_hash)]
        metas = [(one.name, state.ops[one][op_hash].operation_meta) for one in done]
        changed = tuple(host for host, meta in metas if meta.is_complete() and meta.did_change())
        if changed:
            tell(Changed(at=time.time(), name=name, hosts=changed))

    @staticmethod
    def _does(state: State, host: Host, op_hash: str) -> bool:
        return host in state.active_hosts and op_hash in state.ops[host]

    # -- hooks

    def _begin(self, state: State) -> None:
        if why := self._hook("pre-deploy", self._facts()):
            raise self._stop(f"nothing was changed on any host, for a hook says no: {why}")
        self._begun = True
        batches = tuple(batch.hosts for batch in _batches(state))
        tell(Began(at=time.time(), operations=len(state.get_op_order()), batches=batches))

    def _turn(self, state: State) -> None:
        self._after_batch()
        made = _batches(state)
        batch = made[self._turns] if self._turns < len(made) else None
        self._turns += 1
        if batch is None:
            return
        if batch.when is When.ALWAYS:
            facts = self._facts(list(batch.hosts)) | {"STOKER_BATCH": f"{self._turns}/{len(made)}"}
            if why := self._hook("pre-batch", facts):
                raise self._stop(f"stopped before {batch}, for a hook says no: {why}")
            self._open = facts
        self.reached |= set(batch.hosts)
        tell(Turn(at=time.time(), number=self._turns, hosts=batch.hosts))

    def _after_batch(self, outcome: str = "done") -> None:
        facts, self._open = self._open, {}
        if facts:
            warn(self._hook("post-batch", facts | {"STOKER_OUTCOME": outcome}))

    def _facts(self, hosts: list[str] | None = None) -> dict[str, str]:
        names = [one.name for one in self.hosts] if hosts is None else hosts
        return {
            "STOKER_INVENTORY": self._inventory,
            "STOKER_HOSTS": " ".join(names),
            "STOKER_RELEASES": " ".join(f"{name}={self._releases[name]}" for name in names),
            "STOKER_BY": holder.me("").by,
            "STOKER_REASON": self._reason,
            "STOKER_PLAN": os.environ.get(PLAN, ""),
        }

    def _stop(self, why: str) -> PyinfraError:
        self.problem = why
        return PyinfraError(why)

    def locked(self) -> None:
        """Tell that the hosts are fit and ours."""
        tell(Locked(at=time.time(), hosts=tuple(one.name for one in self.hosts)))

    def finish(self) -> Ended:
        """Tell the end, and run the hooks that come after it."""
        found = tuple(results.of(self._state, one, self.reached) for one in self.hosts)
        failed = [one.host for one in found if one.verdict != "done"]
        outcome = "failed" if failed else "done"
        if self._begun:
            self._after_batch(outcome)
            changed = [one.host for one in found if one.changed]
            ends = {
                "STOKER_OUTCOME": outcome,
                "STOKER_CHANGED": " ".join(changed),
                "STOKER_FAILED": " ".join(one.host for one in found if one.verdict == "failed"),
            }
            warn(self._hook("post-deploy", self._facts() | ends))
        end = Ended(at=time.time(), hosts=found, problem=self.problem)
        tell(end)
        return end


def _batches(state: State) -> "tuple[Batch, ...]":
    from fleet import batching  # noqa: PLC0415 - it needs preflight, which begins this

    return batching.made(state)


def say(text: str) -> None:
    """Tell of a hook: who reads the terminal, or the log of the run, and who follows it."""
    print(text, file=sys.stderr, flush=True)
    tell(Said(at=time.time(), text=text))


def warn(why: str) -> None:
    """Tell of a hook that failed after the fact."""
    if why:
        say(f"a hook failed, which changes nothing any more: {why}")


def tell(event: AnyEvent) -> None:
    """Append an event to the file that is asked for, if one is."""
    named = os.environ.get(events.VARIABLE)
    if named:
        with Path(named).open("ab") as file:
            file.write(msgspec.json.encode(event) + b"\n")
