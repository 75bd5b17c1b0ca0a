"""Read the launcher's command line: flags win over environment, environment over defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .flag_table import CHOICES, Flag, load_flags
from .usage import UsageError, given_twice, invalid_value, not_a_choice, unexpected_argument
from .usage import value_missing as missing

__all__ = ["Flags", "UsageError", "parse"]

_MAXIMUM = {"usize": 2**64 - 1, "u64": 2**64 - 1, "u32": 2**32 - 1, "u16": 2**16 - 1}
_REPEATABLE = {"--cors-allow-origin"}


@dataclass(frozen=True)
class Flags:
    """The values of all flags by identifier; absent means None, switches are booleans."""

    values: Mapping[str, str | bool | None]

    def text(self, key: str) -> str | None:
        """A flag's value as text, or None when it has none."""
        value = self.values[key]
        return value if isinstance(value, str) else None

    def required(self, key: str) -> str:
        """The text of a flag that has a default and so always a value."""
        value = self.text(key)
        assert value is not None, key
        return value

    def count(self, key: str) -> int | None:
        """A whole-number flag."""
        value = self.text(key)
        return None if value is None else int(value)

    def number(self, key: str) -> float | None:
        """A decimal flag."""
        value = self.text(key)
        return None if value is None else float(value)

    def on(self, key: str) -> bool:
        """Whether a switch is set."""
        return self.values[key] is True


def parse(argv: Sequence[str], env: Mapping[str, str]) -> Flags:
    """Values of all flags; UsageError for what the real launcher ends with code 2."""
    table = load_flags()
    given = _read_line(argv, table)
    values: dict[str, str | bool | None] = {}
    for flag in table:
        text = given.get(flag.name)
        if text is None and flag.env is not None:
            text = env.get(flag.env)
        if flag.is_switch:
            values[flag.key] = _switch(flag, text)
        else:
            values[flag.key] = flag.default if text is None else _checked(flag, text)
    return Flags(values)


def _read_line(argv: Sequence[str], table: Sequence[Flag]) -> dict[str, str]:
    by_name = {flag.name: flag for flag in table}
    # -p is declared for two ports; the first declaration wins.
    by_name |= {flag.short: flag for flag in reversed(table) if flag.short is not None}
    given: dict[str, str] = {}
    rest = list(argv)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name not in by_name:
            raise unexpected_argument(name, by_name)
        flag = by_name[name]
        if flag.name in given and flag.name not in _REPEATABLE:
            raise given_twice(flag.name)
        if flag.is_switch:
            if equals:
                raise unexpected_argument(f"{name}={value}", ())
            value = "true"
        elif not equals:
            if not rest or rest[0].startswith("--"):
                raise missing(flag.name)
            value = rest.pop(0)
        given[flag.name] = value
    return given


def _switch(flag: Flag, text: str | None) -> bool:
    if text in {None, "false"}:
        return False
    if text == "true":
        return True
    raise not_a_choice(flag.name, str(text), ("true", "false"))


def _checked(flag: Flag, text: str) -> str:
    choices = CHOICES.get(flag.name)
    if choices is not None and text not in choices:
        raise not_a_choice(flag.name, text, choices)
    if flag.kind in _MAXIMUM:
        _check_whole(flag, text)
    if flag.kind == "f32":
        try:
            float(text)
        except ValueError:
            raise invalid_value(flag.name, text, "invalid float literal") from None
    return text


def _check_whole(flag: Flag, text: str) -> None:
    if not (text.isascii() and text.isdigit()):
        raise invalid_value(flag.name, text, "invalid digit found in string")
    if int(text) > _MAXIMUM[flag.kind]:
        raise invalid_value(flag.name, text, "number too large to fit in target type")
