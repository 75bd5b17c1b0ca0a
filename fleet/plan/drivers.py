"""The driver of a host, as the plan tells it. Pure."""

from datetime import date

from agent.planner.card import Card
from agent.spec import HostSpec
from fleet.driver import verdict
from fleet.facts.bare import Bare
from fleet.plan.document import DriverPlan


def driver(
    spec: HostSpec, found: Bare | None, card: Card | None, today: date | None
) -> tuple[DriverPlan | None, tuple[str, ...]]:
    """Return what is decided, and what to warn of; None where it gets no driver, or is refused."""
    if found is None:
        line = verdict.declared(spec.driver, card.capability if card else 0)
        return (_plan(line, version=spec.driver.version or ""), ()) if line else (None, ())
    decided = verdict.of(spec, found, today)
    if not decided.line:
        return None, decided.warnings
    recipe = decided.recipe
    made = _plan(
        decided.line,
        branch=recipe.branch if recipe else decided.version.split(".")[0],
        flavour=recipe.flavour if recipe else "",
        version=decided.version,
        adopted=decided.adopted,
    )
    return made, decided.warnings


def _plan(
    message: str, *, branch: str = "", flavour: str = "", version: str, adopted: bool = False
) -> DriverPlan:
    return DriverPlan(
        branch=branch, flavour=flavour, version=version, adopted=adopted, message=message
    )
