"""Flat `group_data` keys (`engine_gpus`) to the fields of the spec (`engines.main.gpus`).

Keys are flat because pyinfra replaces a whole key and never merges: so a group, a host or
`--data` can override one at a time.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

Faults = list[str]
Where = Callable[[str], str]  # a field's key, as the operator wrote it


def split(
    data: Mapping[str, object],
    sections: Mapping[str, type[msgspec.Struct]],
    engine: type[msgspec.Struct],
) -> tuple[dict[str, Any], dict[str, Any], Faults]:
    """Sort flat keys into sections and engines; return both, and one sentence for each fault."""
    kinds: dict[str, type[msgspec.Struct]] = {**sections, "engine": engine}
    known = {f"{prefix}_{field}" for prefix, kind in kinds.items() for field in _fields(kind)}
    faults = [fault for key in sorted(data) if (fault := _unknown(key, known, kinds))]
    made: dict[str, Any] = {}
    for prefix, kind in sections.items():
        values = {f: data[f"{prefix}_{f}"] for f in _fields(kind) if f"{prefix}_{f}" in data}
        _convert(values, kind, partial(_flat, prefix), made, prefix, faults)
    return made, _engines(data, engine, faults), faults


def unsplit(spec: Any, sections: Iterable[str]) -> dict[str, object]:
    """Return the flat keys that `split` makes the very same sections and engines of."""
    flat: dict[str, object] = {
        f"{prefix}_{field}": value
        for prefix in sections
        for field, value in msgspec.structs.asdict(getattr(spec, prefix)).items()
    }
    named = {name: msgspec.structs.asdict(one) for name, one in spec.engines.items()}
    return {**flat, "engines": named}


def keys(prefix: str, kind: type[msgspec.Struct]) -> Iterator[tuple[str, Any]]:
    """Yield each flat key of a section with its default; `msgspec.NODEFAULT` where it has none."""
    for field in msgspec.structs.fields(kind):
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        yield f"{prefix}_{field.name}", default


def _engines(
    data: Mapping[str, object], kind: type[msgspec.Struct], faults: Faults
) -> dict[str, msgspec.Struct]:
    defaults = {f: data[f"engine_{f}"] for f in _fields(kind) if f"engine_{f}" in data}
    named = data.get("engines", {"main": {}})
    if not isinstance(named, Mapping):
        faults.append(f'engines = {named!r}: expected {{"NAME": {{"gpus": 2, …}}, …}}')
        return {}
    made: dict[str, msgspec.Struct] = {}
    for name, own in named.items():
        if not isinstance(own, Mapping):
            faults.append(f"engines[{name!r}] = {own!r}: expected a dict of its own settings")
            continue
        unknown = [field for field in own if field not in _fields(kind)]
        for field in unknown:
            near = _nearest(field, _fields(kind))
            faults.append(f"engines[{name!r}].{field}: unknown key{near}")
        if not unknown:
            where = partial(_where, name, own)
            _convert({**defaults, **own}, kind, where, made, name, faults)
    return made


def _flat(prefix: str, field: str) -> str:
    return f"{prefix}_{field}"


def _where(name: str, own: Mapping[str, object], field: str) -> str:
    """Name the key where the operator wrote it: the engine's own, or the default of all."""
    return f"engines[{name!r}].{field}" if field in own else _flat("engine", field)


def _convert(
    values: Mapping[str, object],
    kind: type[Any],
    where: Where,
    into: dict[str, Any],
    name: str,
    faults: Faults,
) -> None:
    try:
        into[name] = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        fault = _sentence(str(error), values, kind, where)
        if fault not in faults:  # a wrong default is wrong once, not once for every engine
            faults.append(fault)


def _sentence(text: str, values: Mapping[str, object], kind: type, where: Where) -> str:
    """Turn msgspec's `Expected X - at `$.field`` into key, value, and what would be right."""
    problem, _, path = text.replace("`key` in ", "").partition(" - at `$.")
    if not path:  # a required field is missing: msgspec names it in the text only
        field = text.rpartition("field `")[2].rstrip("`")
        return f"{where(field)}: is missing; it needs {_right(kind, field) or 'a value'}"
    field = path.rstrip("`").split("[")[0].split(".")[0]
    right = _right(kind, field)
    shown = f"{where(field)} = {values.get(field)!r}"
    return f"{shown}: expected {right}" if right else f"{shown}: {problem[0].lower()}{problem[1:]}"


def _right(kind: type, field: str) -> str | None:
    hint = get_type_hints(kind, include_extras=True).get(field)
    stack = [hint]
    while stack:
        part = stack.pop()
        if isinstance(part, msgspec.Meta) and part.description:
            return part.description
        if get_origin(part) is Literal:
            return "one of " + ", ".join(repr(value) for value in get_args(part))
        stack.extend(getattr(part, "__metadata__", ()))
        stack.extend(get_args(part))
    return None


def _unknown(key: str, known: set[str], kinds: Mapping[str, type[msgspec.Struct]]) -> str | None:
    if key in known or key == "engines":
        return None
    ours = key.split("_", maxsplit=1)[0] in kinds
    near = difflib.get_close_matches(key, [*known, "engines"], 1, cutoff=0.75 if ours else 0.88)
    if not ours and not near:
        return None  # pyinfra's (ssh_user, _sudo) or the operator's own
    return f"{key}: unknown key" + (
        f" (did you mean {near[0]}?)" if near else "; every key is in group_data/all.py"
    )


def _nearest(word: str, among: list[str]) -> str:
    near = difflib.get_close_matches(word, among, 1)
    return f" (did you mean {near[0]}?)" if near else f"; known are {', '.join(among)}"


def _fields(kind: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(kind)]
