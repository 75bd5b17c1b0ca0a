"""What holds of every plan.

Batch, fraction and sequences are fixed where GPUs are compared: the engines' own defaults for them
step with the card, and not always to the better (SGLang sets 10 GiB aside above 60 GiB, and less
below; vLLM profiles four times as many tokens above 70 GiB).
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.planner import card
from agent.planner.card import CARDS
from agent.planner.fit import fit, near
from agent.planner.ledger import Fit
from agent.planner.wish import CURRENT, Wish
from tests.planner.configs import AWQ, FP8, MODELS, checkpoint

Key = tuple[str, str]
NAMES = sorted(path.stem for path in MODELS.glob("*.json"))
CHECKPOINTS = {
    (name, label): checkpoint(name, None if name in {"gpt-oss-20b", "deepseek-r1"} else quant)
    for name in NAMES
    for label, quant in (("as it is", None), ("fp8", FP8), ("awq", AWQ))
}

models = st.sampled_from(sorted(CHECKPOINTS))
cards = st.sampled_from(sorted(CARDS))
few = settings(deadline=None, max_examples=60)


def planned(model: Key, gpu: str, wish: Wish, more: int = 0) -> Fit:
    """Plan on a GPU with `more` GiB than it has."""
    had = card.declared(gpu)
    return fit(CHECKPOINTS[model], replace(had, memory=had.memory + (more << 30)), wish)


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    engine = draw(st.sampled_from(sorted(CURRENT)))
    fixed: dict[str, Any] = {"prefill": 2048, "sequences": 8, "fraction": 0.88}
    return Wish(
        engine=engine,
        version=CURRENT[engine],
        tp=draw(st.sampled_from([1, 2, 4, 8])),
        pp=1 if engine == "tgi" else draw(st.sampled_from([1, 1, 2, 3])),
        context=draw(st.integers(1, 8192)),
        concurrency=draw(st.integers(1, 64)),
        kv_dtype=draw(st.sampled_from(["auto", "fp8"])),
        **fixed,
    )


@few
@given(models, cards, wishes())
def test_what_fits_sums_to_no_more_than_the_card(model: Key, gpu: str, wish: Wish) -> None:
    found = planned(model, gpu, wish)
    if found.fits:
        assert len(found.ledgers) == wish.pp
        for ledger in found.ledgers:
            assert (
                sum(size for _, size in ledger.parts())
                <= ledger.memory
                == card.declared(gpu).memory
            )
            assert all(size >= 0 for _, size in ledger.parts())
            assert ledger.doubt < ledger.kv
        assert found.holds >= wish.concurrency
        assert found.tokens >= wish.concurrency * wish.context * 0.99  # it rounds to blocks


@few
@given(models, cards, wishes(), st.integers(1, 4096))
def test_a_longer_context_never_fits_better(model: Key, gpu: str, wish: Wish, more: int) -> None:
    longer = planned(model, gpu, replace(wish, context=wish.context + more))
    assert longer.fits <= planned(model, gpu, wish).fits
    assert longer.holds <= planned(model, gpu, wish).holds


@few
@given(models, cards, wishes(), st.integers(1, 64))
def test_more_requests_never_fit_better(model: Key, gpu: str, wish: Wish, more: int) -> None:
    other = planned(model, gpu, replace(wish, concurrency=wish.concurrency + more))
    assert other.fits <= planned(model, gpu, wish).fits


@few
@given(models, cards, wishes(), st.integers(0, 200))
def test_more_memory_never_fits_worse(model: Key, gpu: str, wish: Wish, more: int) -> None:
    larger = planned(model, gpu, wish, more)
    assert larger.fits >= planned(model, gpu, wish).fits
    assert larger.tokens >= planned(model, gpu, wish).tokens


@few
@given(models, cards, wishes())
def test_what_is_proposed_fits_and_differs(model: Key, gpu: str, wish: Wish) -> None:
    if planned(model, gpu, wish).fits:
        return
    for proposal in near(CHECKPOINTS[model], card.declared(gpu), wish, 8):
        assert planned(model, gpu, proposal.wish).fits
        assert proposal.wish != wish
        assert proposal.wish.gpus <= 8 * wish.pp
