"""Which variables hide a secret, by their names. Pure."""

from agent.rules import SECRET

# HF_TOKEN_PATH says where a secret lies, and HF_HUB_DISABLE_IMPLICIT_TOKEN=1 that there is none.
_PLACES = ("_FILE", "_PATH", "_DIR", "_DIRECTORY", "_NAME", "_ID", "_URL")
_SWITCHES = frozenset({"", "0", "1", "true", "false", "yes", "no", "none", "null"})


def hidden(name: str, value: str) -> bool:
    """Say whether the variable looks like a secret."""
    upper = name.strip().upper()
    plain = value.strip().strip("'\"").lower()
    if not SECRET.search(upper) or upper.endswith(_PLACES) or plain in _SWITCHES:
        return False
    # `$NAME` and `${NAME}` stand for what is elsewhere; a number of tokens is no token.
    return not plain.startswith("$") and not plain.isdigit()
