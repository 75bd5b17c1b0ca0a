"""Rolling where several hosts serve the model, else whether a copy can serve beside it decides."""

import pytest

from agent.spec import RolloutSpec
from fleet.plan.strategy import choose

FULL = "0 GPU(s) are free, 1 are needed"


@pytest.mark.parametrize(
    ("wish", "others", "obstacle", "beside", "kind", "reason"),
    [
        (None, 1, FULL, False, "rolling", "OtherHostsServe"),
        (None, 1, None, False, "rolling", "OtherHostsServe"),
        (None, 0, None, True, "blue/green", "CopyFits"),
        (None, 0, FULL, True, "swap", "NoCopy"),
        ("blue/green", 1, None, True, "blue/green", "CopyFits"),
        ("blue/green", 1, "its port changes", True, "rolling", "OtherHostsServe"),
        ("blue/green", 0, "its port changes", True, "swap", "NoCopy"),
        ("swap", 0, None, False, "swap", "Asked"),
        ("swap", 2, None, False, "swap", "AllAtOnce"),
        ("rolling", 1, None, False, "rolling", "OtherHostsServe"),
    ],
)
def test_the_choice(
    wish: str | None, others: int, obstacle: str | None, beside: bool, kind: str, reason: str
) -> None:
    wished = RolloutSpec(strategy=wish)  # type: ignore[arg-type]
    chosen = choose(wished, others, obstacle, beside=beside)
    assert (chosen.kind, chosen.reason) == (kind, reason)


def test_it_says_why_there_is_no_copy() -> None:
    assert choose(RolloutSpec(), 0, FULL, beside=True).message == (
        "no other host serves this model, and no copy can serve beside it: 0 GPU(s) are free, "
        "1 are needed"
    )


@pytest.mark.parametrize(
    ("batch", "kind", "said"),
    [
        (1, "rolling", "3 hosts serve this model and change one at a time"),
        (2, "rolling", "3 hosts serve this model and change 2 at a time"),
        (3, "swap", "all 3 hosts that serve this model change at once"),
    ],
)
def test_how_many_at_once_is_the_operators_to_say(batch: int, kind: str, said: str) -> None:
    chosen = choose(RolloutSpec(batch=batch), 2, FULL, beside=False)
    assert chosen.kind == kind
    assert chosen.message.startswith(said)
