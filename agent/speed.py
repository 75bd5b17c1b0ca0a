"""Tokens a second, over the latest looks at a counter of tokens. Pure."""

from agent.model import Value

WINDOW = 20.0  # seconds: TGI counts the tokens of a request when it ends


class Speed(Value, frozen=True, kw_only=True):
    """Pairs of an instant (seconds, monotonic) and the tokens until then, oldest first."""

    looks: tuple[tuple[float, float], ...] = ()

    @property
    def per_second(self) -> float | None:
        """Tokens a second; None = not looked for long enough, or not told."""
        if len(self.looks) < 2:
            return None
        (since, before), (until, after) = self.looks[0], self.looks[-1]
        return (after - before) / (until - since)


def fold(speed: Speed, at: float, tokens: float | None) -> Speed:
    """Take one more look in; a counter that has fallen is that of another run."""
    kept = tuple(one for one in speed.looks if at - one[0] <= WINDOW)
    if tokens is None:
        return Speed(looks=kept)
    if kept and (tokens < kept[-1][1] or at <= kept[-1][0]):
        kept = ()
    return Speed(looks=(*kept, (at, tokens)))
