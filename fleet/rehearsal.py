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
from functools import partial
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
    """Rehearses when the first operation is due."""

    def __init__(self) -> None:
        self._done = False

    # pyinfra declares it static, and calls it on the instance.
    def operation_start(  # type: ignore[override]
        self,
        state: State,
        op_hash: str,  # noqa: ARG002
    ) -> None:
        """Look, once."""
        if not self._done:
            self._done = True
            executing, state.is_executing = state.is_executing, False
            try:
                rehearse(state, [host for host in state.inventory if host in state.active_hosts])
            finally:
                state.is_executing = executing


def rehearse(state: State, hosts: Collection[Host]) -> None:
    """Look at all that the operations of these hosts will ask, as far as it can be foreseen."""
    for job in [state.pool.spawn(_rehearse, state, host) for host in hosts]:
        job.get()


def _rehearse(state: State, host: Host) -> None:
    known = memo.attach(host)
    order = [key for key in state.get_op_order() if key in state.ops[host]]
    generates = [state.ops[host][key].command_generator for key in order]
    for key, generate in zip(order, generates, strict=True):
        state.ops[host][key].command_generator = partial(forgetting, generate, known.forget)
    with ctx_host.use(host), ctx_config.use(state.config.copy()), manifest.set_aside(host):
        for _ in range(ROUNDS):
            with memo.rehearsing():
                generates = [generate for generate in generates if not _known(generate)]
            if not generates or not known.look():
                return


def forgetting(generate: Generate, forget: Callable[[], None]) -> Iterator[PyinfraCommand]:
    """Yield the commands of an operation; before each of them is sent, forget what was seen."""
    with closing(cast("Commands", generate())) as commands:
        for command in commands:
            forget()
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
