"""Faults in `environment`: variables that are ours, or that do the work of a flag that is."""

from collections.abc import Iterator, Mapping

from agent.engines.program import Program


def faults(
    environment: Mapping[str, str], ours: Mapping[str, str], program: Program
) -> Iterator[str]:
    """Yield a sentence for each variable that Stoker sets itself, or that does a flag's work."""
    by_variable = {flag.env: flag.name for flag in program.flags.values() if flag.env}
    for variable in sorted(environment):
        fault = program.variables.get(variable)
        if not fault and variable in by_variable:
            fault = program.verdict(by_variable[variable])
        if not fault and variable in ours:
            fault = f"is set by Stoker to {ours[variable]!r}; remove it"
        if fault:
            yield f"environment[{variable!r}]: {fault}"
