"""The KV cache: how many bytes a token takes, and how many tokens an engine makes of its bytes."""

from agent.planner.shape import FULL, LATENT, STATE, WINDOW, Kind, Model
from agent.planner.units import ceil_div, round_up
from agent.planner.wish import Wish

BLOCK = 16  # tokens; of MLA 64, which only rounds differently
BYTE = ("fp8", "int8")


def element(wish: Wish, serving: float) -> float:
    """Return the bytes of one element of the KV cache."""
    if wish.kv_dtype.startswith(BYTE):
        return 1.0
    return 0.5625 if "fp4" in wish.kv_dtype else serving


def per_token(kind: Kind, model: Model, wish: Wish, size: float) -> float:
    """Return the bytes one token takes in one layer of `kind`, on one rank."""
    if kind.kind == LATENT:
        return kind.width * size  # each rank keeps all of it
    return kind.width / min(wish.tp, model.kv_heads) * size


def of_stage(model: Model, stage: range) -> tuple[Kind, ...]:
    """Return the kinds of a pipeline stage's layers: of each its share, rounded up."""
    return tuple(
        _with(kind, max(1, ceil_div(kind.layers * len(stage), model.layers)))
        for kind in model.kinds
    )


def _with(kind: Kind, layers: int) -> Kind:
    return Kind(
        kind=kind.kind, layers=layers, width=kind.width, window=kind.window, state=kind.state
    )


def all_tokens(kinds: tuple[Kind, ...], model: Model, wish: Wish, size: float) -> float:
    """Return the bytes one token takes in all layers when windows are not made use of."""
    return sum(
        kind.layers * per_token(kind, model, wish, size) for kind in kinds if kind.kind != STATE
    )


def grouped(
    room: float, kinds: tuple[Kind, ...], model: Model, wish: Wish, size: float, ahead: int
) -> float:
    """Return how many requests of the wanted context vLLM's block pool of `room` bytes holds.

    vLLM's kv_cache_utils.py: layers of one kind are cut into groups of equal size, all groups draw
    blocks from one pool, and the last group of a kind is padded. `ahead` = tokens scheduled and not
    yet settled, which a window keeps besides itself. A state takes one block per request.
    """
    attention = [kind for kind in kinds if kind.kind != STATE]
    states = [kind for kind in kinds if kind.kind == STATE]
    token = max(per_token(kind, model, wish, size) for kind in attention)
    block = BLOCK
    if states:  # pages are made as large as a state
        state = max(kind.state for kind in states) / wish.tp
        block = round_up(max(BLOCK, int(state / token) + 1), BLOCK)
    counts = [kind.layers for kind in kinds]
    group = max(counts) if max(counts) < 1.5 * min(counts) else min(counts)
    pool = int(room // (group * block * token))
    return pool / sum(
        ceil_div(kind.layers, group) * _blocks(kind, wish.context, block, ahead) for kind in kinds
    )


def _blocks(kind: Kind, context: int, block: int, ahead: int) -> int:
    if kind.kind == STATE:
        return 2
    if kind.kind == WINDOW:
        return min(
            ceil_div(context, block), ceil_div(min(kind.window - 1 + ahead, context), block) + 1
        )
    return ceil_div(context, block)


def padded(kinds: tuple[Kind, ...], model: Model, wish: Wish, size: float) -> float:
    """Return the bytes of a token as vLLM before 0.21 counted: groups full, with padding."""
    counts = [kind.layers for kind in kinds]
    group = max(counts) if max(counts) < 1.5 * min(counts) else min(counts)
    token = max(per_token(kind, model, wish, size) for kind in kinds)
    return sum(ceil_div(count, group) for count in counts) * group * token


def is_plain(kinds: tuple[Kind, ...]) -> bool:
    """Say whether all layers keep every token: then tokens are bytes divided, and no more."""
    return all(kind.kind in {FULL, LATENT} for kind in kinds)
