"""What `stoker scale` prints for people. Pure."""

from collections.abc import Iterator, Mapping

from fleet.commands.shown import GREEN, YELLOW, table, wrapped
from fleet.scaling.rounds import ModelScale

HEAD = ("MODEL", "REPLICAS", "WANTED", "WAITING", "READY")
MODEL, WANTED = HEAD.index("MODEL"), HEAD.index("WANTED")


def render(models: Mapping[str, ModelScale], *, colour: bool = False) -> str:
    """Return a line a model, then why."""
    rows = [_row(name, made) for name, made in models.items()]

    def painted(column: int, text: str) -> str:
        if not colour or column != WANTED or text == HEAD[WANTED]:
            return ""
        return YELLOW if text.endswith((" more", " fewer")) else GREEN

    notes = [line for name, made in models.items() for line in _notes(name, made)]
    return "\n".join([*table([HEAD, *rows], {MODEL: 24}, painted), "", *notes])


def _row(name: str, made: ModelScale) -> tuple[str, ...]:
    change = made.desired - made.current
    way = f", {abs(change)} {'more' if change > 0 else 'fewer'}" if change else ""
    ready = made.current - made.unknown - made.unready
    waiting = "?" if made.limit == "blind" else str(made.waiting)
    return (name, str(made.current), f"{made.desired}{way}", waiting, str(ready))


def _notes(name: str, made: ModelScale) -> Iterator[str]:
    yield from wrapped(f"{name}: {made.reason}", "", "    ")
    for replica in made.replicas:
        if replica.why:
            yield from wrapped(
                f"{replica.host}, engine {replica.engine}: {replica.why}", "! ", "  "
            )
    for way, said in made.told.items():
        yield from wrapped(f"{way}: {said}", "" if said == "told" else "! ", "    ")
