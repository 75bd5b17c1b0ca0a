"""What a host answered, and what is the same for all hosts: what a plan is made of."""

from datetime import date

from agent.model import Value
from fleet.disruption import Disruption
from fleet.facts.bare import Bare
from fleet.facts.engines import Status
from fleet.plan.changes import Planned
from fleet.plan.document import Contact, DriverMove
from fleet.plan.known import Known


class Seen(Value, frozen=True, kw_only=True):
    """What a host answered; `operations` None = it was not asked that far."""

    contact: Contact
    problems: tuple[str, ...] = ()
    bare: Bare | None = None
    status: Status = Status()
    operations: tuple[Planned, ...] | None = None
    driver_move: DriverMove | None = None


NOT_ASKED = Seen(contact="not asked")


class Given(Value, frozen=True, kw_only=True):
    """What is the same for all hosts.

    `declared` = disruption by stage; `serves` maps a model to the hosts that serve it. `today`
    None = nothing is said about drivers that come to the end of their support.
    """

    known: Known
    declared: dict[str, Disruption]
    serves: dict[str, tuple[str, ...]]
    today: date | None = None
