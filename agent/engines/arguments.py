"""Faults in `extra_args`: flags that are ours, another program's, unknown, or cut short.

argparse takes the beginning of a flag for the flag. That is refused: it would get past the list of
flags that Stoker sets itself, and mean another flag, or none, once a release adds one.
"""

import difflib
from collections.abc import Iterator, Sequence

from agent.engines.flags import Flag
from agent.engines.program import Program

SHOWN = 4  # flags that a sentence names at most


def faults(extra_args: Sequence[str], program: Program) -> Iterator[str]:
    """Yield a sentence for each flag or value that must not stand in `extra_args`."""
    place = 0
    while place < len(extra_args):
        argument, place = extra_args[place], place + 1
        flag = name(argument)
        if flag is None:
            yield f"extra_args: {argument!r}: is the value of no flag"
            continue
        values = _values(extra_args[place:])
        written, attached, value = argument.partition("=")
        if fault := program.verdict(flag) or _stranger(flag, written, program):
            yield f"extra_args: {written!r}: {fault}"  # and no value, which may be a secret
            place += len(values)
            continue
        known = program.flags[flag]
        values = [value] if attached else values[: _room(known)]
        place += 0 if attached else len(values)
        if fault := _misfit(known, values, attached=bool(attached)):
            yield f"extra_args: {written!r}: {fault}"


def name(argument: str) -> str | None:
    """Return the flag of `--flag`, `--flag=value` or `-f`; None when `argument` is a value."""
    if not argument.startswith("-") or not argument.lstrip("-")[:1].isalpha():
        return None  # also a negative number
    # vLLM takes --max_model_len for --max-model-len, and --json-arg.key for a part of --json-arg.
    return argument.partition("=")[0].partition(".")[0].replace("_", "-")


def _values(arguments: Sequence[str]) -> list[str]:
    """Return the values that stand before the next flag."""
    end = next((i for i, one in enumerate(arguments) if name(one)), len(arguments))
    return list(arguments[:end])


def _stranger(flag: str, written: str, program: Program) -> str | None:
    """Say what is wrong with a flag that the program does not have in this form."""
    if flag in program.flags and (program.loose or written == flag):
        return None
    meant = sorted({found.name for one, found in program.flags.items() if one.startswith(flag)})
    if program.abbreviates and written == flag and meant:
        if len(meant) == 1:
            return f"is short for {meant[0]}{_governed(meant[0], program)}; write flags in full"
        some = ", ".join(meant[:SHOWN]) + (", …" if len(meant) > SHOWN else "")
        return f"is short for several flags ({some}); write flags in full"
    short = [one for one in (*program.flags, *program.wrong) if not one.startswith("--")]
    if glued := [one for one in short if flag.startswith(one)]:
        head = max(glued, key=len)
        return program.verdict(head) or f"write {head!r} and its value apart"
    near = difflib.get_close_matches(flag, program.flags, 1)
    hint = f" (did you mean {near[0]}{_governed(near[0], program)}?)" if near else ""
    return f"{program.title} has no such flag{hint}"


def _governed(flag: str, program: Program) -> str:
    key = program.owned.get(program.flags[flag].name)
    return f", which is set by Stoker from {key}" if key else ""


def _room(flag: Flag) -> int | None:
    return {"switch": 0, "list": None}.get(flag.kind, 1)


def _misfit(flag: Flag, values: Sequence[str], *, attached: bool) -> str | None:
    if flag.kind == "switch":
        return "takes no value" if attached else None
    if not values and flag.kind not in {"maybe", "list"}:
        return "needs a value"
    for value in values:
        if flag.choices and value not in flag.choices:
            return f"takes {', '.join(flag.choices)}, not {value!r}"
        if flag.kind in {"int", "float"} and not _number(value, flag.kind):
            return f"takes a {'whole ' if flag.kind == 'int' else ''}number, not {value!r}"
    return None


def _number(value: str, kind: str) -> bool:
    try:
        int(value) if kind == "int" else float(value)
    except ValueError:
        return False
    return True
