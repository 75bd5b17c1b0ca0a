"""Faults in `extra_args`: flags that Stoker sets itself, flags of another program, unknown ones."""

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence

# `docker inspect` shows a command line to every operator, and `ps` shows it to every user.
NEVER_IN_ARGV = "a secret must not stand in a command line; the gateway checks the clients' keys"


def faults(
    extra_args: Sequence[str],
    owned: Mapping[str, str],
    wrong: Mapping[str, str],
    known: Collection[str] = (),
) -> Iterator[str]:
    """Yield a sentence for each flag that must not stand in `extra_args`.

    `owned` maps a flag that the adapter sets to what governs it, `wrong` maps a well-known
    mistake to what would be right, `known` are all flags of the program (empty = not listed).
    """
    for argument in extra_args:
        flag = name(argument)
        if flag is None:
            continue
        if flag in owned:
            yield f"extra_args: {flag!r}: is set by Stoker from {owned[flag]}"
        elif flag in wrong:
            yield f"extra_args: {flag!r}: {wrong[flag]}"
        elif known and flag not in known:
            near = difflib.get_close_matches(flag, known, 1)
            yield f"extra_args: {flag!r}: unknown flag" + (
                f" (did you mean {near[0]}?)" if near else ""
            )


def name(argument: str) -> str | None:
    """Return the flag of `--flag`, `--flag=value` or `-f`; None when `argument` is a value."""
    if not argument.startswith("-") or not argument.lstrip("-")[:1].isalpha():
        return None  # also a negative number
    # vLLM takes --max_model_len for --max-model-len.
    return argument.partition("=")[0].replace("_", "-")


def environment_faults(environment: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each variable that the adapter sets itself."""
    for variable in sorted(environment.keys() & ours.keys()):
        yield f"environment[{variable!r}]: is set by Stoker to {ours[variable]!r}; remove it"
