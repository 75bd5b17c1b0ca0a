"""SGLang's rules, 0.5.

kv_cache_configurator.py `_profile_available_bytes`: the KV pool gets what is free after the weights
are loaded, less (1 - mem_fraction_static) of what was free before. Activations and CUDA graphs have
to do with that remainder; nothing checks it at start. memory_hook.py sets the fraction by the card.
A context that the pool cannot hold is only warned of: here it counts as not fitting.
"""

from collections.abc import Iterator

from agent.planner import activation, kv, refusals, weights
from agent.planner.card import Card
from agent.planner.ledger import Ledger, Refusal
from agent.planner.rules import HOPPER, Capacity, Case, context, doubt, nccl
from agent.planner.shape import STATE, WINDOW, Model
from agent.planner.units import GIB, MIB, size_of
from agent.planner.vllm import online
from agent.planner.wish import Wish

SWA_RATIO = 0.8  # --swa-full-tokens-ratio
MAMBA_RATIO = 0.9  # --mamba-full-memory-ratio
# Architectures with a pool of their own for windows (model_config.py, is_hybrid_swa_model).
HYBRID = ("Llama4", "GptOss", "Gemma3", "Gemma2", "MiMo", "Step3", "Exaone4", "Olmo3")


class Sglang:
    """Satisfies `rules.Rules`."""

    def refusals(self, model: Model, card: Card, wish: Wish) -> Iterator[Refusal]:
        """Yield what SGLang dies of, with vLLM's words where its own are an empty assert."""
        yield from refusals.degrees(model, wish)
        yield from refusals.context(model, wish, "SGLANG_ALLOW_OVERWRITE_LONGER_context(card)_LEN")
        yield from refusals.too_old(model, card, wish)

    def warnings(self, model: Model, card: Card, wish: Wish) -> Iterator[str]:
        """Yield what starts, and surprises."""
        yield from refusals.emulated(model, card, wish)
        yield from refusals.linked(card, wish)
        if any(kind.kind == STATE for kind in model.kinds):
            yield "layers that keep a state are reckoned roughly"

    def ledger(self, case: Case) -> Ledger:
        """Reckon as the pool's configurator does."""
        model, card, wish, stage = case.model, case.card, case.wish, case.stage
        talk = nccl(card, wish.gpus)
        before = card.memory - context(card) - talk
        held = (
            weights.on_rank(case.checkpoint, model, wish, stage, online(wish))
            + weights.ropes(model, wish.context, 4)  # cached in 32 bits
            + weights.absorbed(model, wish, stage)
        )
        tokens, rows = chunk(card, wish), decode(card, wish)
        peak = activation.peak(
            model, tokens, min(rows, tokens), wish.tp, activation.PLAIN, last=case.last
        )
        graphs = int((rows * 2 * MIB if wish.graphs else 0) * (1.5 if model.experts else 1.0))
        slack = int(before * (1 - fraction(model, card, wish)))
        room = before - held - slack
        if wish.quantize and model.quant is None:  # it loads all, and then quantises
            whole = weights.on_rank(case.checkpoint, model, wish, stage, weights.as_stored)
            room = min(room, before - whole)
        lacking = min(0, slack - peak - graphs)
        return Ledger(
            memory=card.memory,
            weights=held,
            activation=peak,
            graphs=graphs,
            communication=talk,
            runtime=context(card),
            reserve=max(0, slack - peak - graphs),
            kv=room,
            spare=max(0, -lacking),
            doubt=_doubt(case),
        )

    def capacity(self, case: Case) -> Capacity:
        """Turn bytes into tokens: one pool, or two where windows or states have their own."""
        model, wish = case.model, case.wish
        kinds = kv.of_stage(model, case.stage)
        size = kv.element(wish, size_of(weights.serving(model, wish)))
        own_pool = model.architecture.startswith(HYBRID)
        cell = sum(
            kind.layers
            * kv.per_token(kind, model, wish, size)
            * (SWA_RATIO if own_pool and kind.kind == WINDOW else 1.0)
            for kind in kinds
            if kind.kind != STATE
        )
        states = any(kind.kind == STATE for kind in kinds)

        def count(room: float) -> tuple[int, float]:
            pool = room / (1 + MAMBA_RATIO) if states else room
            tokens = max(0, int(pool / cell))
            return tokens, tokens / wish.context

        return count


def chunk(card: Card, wish: Wish) -> int:
    """Return the tokens of one prefill (`chunked_prefill_size`)."""
    if wish.prefill:
        return wish.prefill
    size = card.memory / GIB
    return 2048 if size < 20 else 4096 if size < 60 else 8192 if size < 160 else 16384


def decode(card: Card, wish: Wish) -> int:
    """Return the largest batch that graphs are captured for."""
    size, few = card.memory / GIB, wish.tp < 4
    if size < 20:
        most = 8
    elif size < 35:
        most = 48 if few else 160
    elif size < 60:
        most = 32 if few else 160
    else:
        most = 256 if few and size < 160 else 512
    return min(most, wish.sequences or most)


def captured(tokens: int) -> int:
    """Return how many prefill sizes up to `tokens` are captured (cuda_graph_hook.py)."""
    steps = ((4, 33, 4), (48, 257, 16), (288, 513, 32), (576, 1025, 64), (1280, 4097, 256))
    sizes = [size for step in steps for size in range(*step)] + list(range(4608, tokens + 1, 512))
    return sum(size <= tokens for size in sizes)


def fraction(model: Model, card: Card, wish: Wish) -> float:
    """Return `mem_fraction_static`, as memory_hook.py sets it when nobody does."""
    if wish.fraction:
        return wish.fraction
    total = card.memory / MIB * 1.0058  # nvidia-smi's number, which the hook reads
    reserved = 512 + 1.5 * max(chunk(card, wish), 2048) + wish.gpus * 128
    reserved += decode(card, wish) * 2 if wish.graphs else 0
    reserved += 1536 if model.latent_rank else 8 * captured(chunk(card, wish))
    reserved = max(reserved, 10 * 1024) if total > 60 * 1024 else reserved
    share = round((total - reserved) / total, 3)
    return share * _tower(model) if model.vision else share


def _tower(model: Model) -> float:
    """Return the factor a vision tower costs (`adjust_mem_fraction_for_vlm`)."""
    ratio = model.vision_layers * model.vision_hidden**2 / (24 * 1024**2)
    return 0.95 * max(0.8, min(1.05, 1.0 - 0.1 * (ratio - 1.0)))


def _doubt(case: Case) -> int:
    """Return how far off it may be; `mem usage` of a load counts what the allocator rounds, too."""
    checkpoint, model, card, wish = case.checkpoint, case.model, case.card, case.wish
    return doubt(
        0.4,
        0.018 * checkpoint.bytes / wish.gpus / GIB,
        0.5 if wish.tp > 1 else 0,
        0.5 if card.capability != HOPPER else 0,
        0.8 if model.vision else 0,
        1.5 if any(kind.kind == STATE for kind in model.kinds) else 0,
    )
