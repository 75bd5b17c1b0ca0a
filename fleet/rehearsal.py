"""Before the first operation, each is asked what it would do: what they look at is seen at once.

Operations are generators that look, and then yield what changes a host. A rehearsal runs each up to
its first command, and sends nothing. Where one asks what is not known yet it is left there; when
all have been asked, what they missed is looked at in one command, and they are asked again. An
operation that asks three things one after the other takes three rounds. So no stage needs to say
beforehand what its operations will ask, and none can say it wrongly: what a rehearsal does not
foresee is asked of the host when it is due.

What follows from it for operations: up to the first command they only look, as for a plan.
"""

from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from typing import cast
from weakref import WeakSet

from pyinfra import logger
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.host import Host
from pyinfra.api.state import BaseStateCallback, State
from pyinfra.context import ctx_config, ctx_host

from fleet import manifest, memo

ROUNDS = 12  # no operation asks that many things after each other

Generate = Callable[[], Iterator[PyinfraCommand]]
Commands = Generator[PyinfraCommand]
_begun: WeakSet[State] = WeakSet()


def before_first(state: State) -> None:
    """Have the hosts of a run looked at right before its first operation; harmless twice."""
    if state not in _begun:
        _begun.add(state)
        state.add_callback_handler(_Before())


class _Before(BaseStateCallback):
    """Rehearses when the first operation is due, and again once a host has come to rest."""

    def __init__(self) -> None:
        self._rests: dict[Host, _Rest] = {}

    # pyinfra declares it static, and calls it on the instance.
    def operation_start(  # type: ignore[override]
        self,
        state: State,
        op_hash: str,
    ) -> None:
        """Look at the hosts of which nothing is known, if it is worth it."""
        due = [
            host
            for host in state.inventory
            if host in state.active_hosts
            and op_hash in state.ops[host]
            and self._rests.setdefault(host, _Rest(memo.attach(host))).worth_it()
        ]
        executing, state.is_executing = state.is_executing, False
        try:
            rehearse(state, due, op_hash)
        finally:
            state.is_executing = executing


class _Rest:
    """When to look again: where much changes, what was seen is forgotten before it is of use.

    After 1, 2, 4, 8 … operations without a command. A host that converges is looked at often
    enough, and a bare one, on which nearly all of them send something, not much in vain.
    """

    def __init__(self, known: memo.Memo) -> None:
        self._known, self._looks, self._quiet, self._forgotten = known, 0, 0, 0

    def worth_it(self) -> bool:
        """Say, before each operation of the host, whether to look."""
        at_rest = self._known.forgotten == self._forgotten
        self._quiet = self._quiet + 1 if at_rest else 0
        self._forgotten = self._known.forgotten
        if self._known.holds() or self._quiet < 2**self._looks:
            return False
        self._looks, self._quiet = self._looks + 1, 0
        return True


def rehearse(state: State, hosts: Collection[Host], since: str | None = None) -> None:
    """Look at all that the operations of these hosts will ask, from `since` on."""
    for job in [state.pool.spawn(_rehearse, state, host, since) for host in hosts]:
        job.get()


def _rehearse(state: State, host: Host, since: str | None) -> None:
    known, whole = memo.attach(host), state.get_op_order()
    order = whole[whole.index(since) if since else 0 :]
    ops = [state.ops[host][key] for key in order if key in state.ops[host]]
    for one in ops:
        if not isinstance(one.command_generator, Forgetting):
            one.command_generator = Forgetting(one.command_generator, known.forget)
    generates = [one.command_generator.asked for one in ops]  # type: ignore[attr-defined]
    with ctx_host.use(host), ctx_config.use(state.config.copy()), manifest.set_aside(host):
        for _ in range(ROUNDS):
            with memo.rehearsing():
                generates = [generate for generate in generates if not _known(generate)]
            if not generates or not known.look():
                return


class Forgetting:
    """An operation's commands; before each of them is sent, what was seen is forgotten."""

    def __init__(self, asked: Generate, forget: Callable[[], None]) -> None:
        self.asked, self._forget = asked, forget

    def __call__(self) -> Iterator[PyinfraCommand]:
        """Do as pyinfra's own `command_generator`."""
        with closing(cast("Commands", self.asked())) as commands:
            for command in commands:
                self._forget()
                yield command


def _known(generate: Generate) -> bool:
    """Say whether all that an operation asks up to its first command is known."""
    try:
        with closing(cast("Commands", generate())) as commands:
            next(commands, None)
    except memo.UnansweredError:
        return False
    except Exception as error:  # it is asked again when it is due, and then told
        logger.debug("rehearsal: %s", error)
    return True
