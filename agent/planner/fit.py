"""The verdict: does a model fit on these GPUs, by the rules of its engine? Pure."""

from collections.abc import Iterator
from itertools import takewhile

from msgspec.structs import replace

from agent.planner import shards
from agent.planner.card import Card
from agent.planner.checkpoint import Checkpoint
from agent.planner.ledger import Fit, Ledger, Near
from agent.planner.rules import Case, Rules
from agent.planner.sglang import Sglang
from agent.planner.shape import Model, model
from agent.planner.tgi import Tgi
from agent.planner.units import gib
from agent.planner.vllm import Vllm
from agent.planner.wish import Wish

RULES: dict[str, Rules] = {
    "tgi": Tgi(),
    "vllm": Vllm(),
    "sglang": Sglang(),
}

# What each engine calls an FP8 KV cache, and 16-bit weights that it turns into FP8 at load.
FP8_KV = {"tgi": "fp8_e4m3fn", "vllm": "fp8", "sglang": "fp8_e4m3"}
FP8_WEIGHTS = {"tgi": "fp8", "vllm": "fp8_per_tensor", "sglang": "fp8"}
SMALLEST = 2048  # no shorter context is proposed


def fit(checkpoint: Checkpoint, card: Card, wish: Wish) -> Fit:
    """Say whether it fits; raise `SpecError` when config.json does not tell."""
    facts, rules = model(checkpoint.name, checkpoint.config), RULES[wish.engine]
    warnings = tuple(rules.warnings(facts, card, wish))
    refusal = next(rules.refusals(facts, card, wish), None)
    if refusal is not None:
        return Fit(
            wish=wish,
            card=card.name,
            fits=False,
            reason=refusal.reason,
            message=refusal.message,
            warnings=warnings,
        )
    return _weigh(checkpoint, facts, card, wish, rules, warnings)


def with_near(checkpoint: Checkpoint, card: Card, wish: Wish, gpus: int) -> Fit:
    """Say whether it fits, and what near to it does on up to `gpus` GPUs when it does not."""
    found = fit(checkpoint, card, wish)
    if found.fits:
        return found
    return replace(found, near=tuple(near(checkpoint, card, wish, gpus)))


def near(checkpoint: Checkpoint, card: Card, wish: Wish, gpus: int) -> Iterator[Near]:
    """Yield configurations near to `wish` that fit, each with one thing changed."""
    if longest := _longest(checkpoint, card, wish):
        yield Near(message=f"a context of {longest:,} tokens", wish=replace(wish, context=longest))
    degrees = takewhile(lambda tp: tp * wish.pp <= gpus, (2**n for n in range(12)))
    candidates = [
        *((f"{tp * wish.pp} GPUs", {"tp": tp}) for tp in degrees if tp > wish.tp),
        ("an FP8 KV cache", {"kv_dtype": FP8_KV[wish.engine]}),
        ("weights in FP8", {"quantize": FP8_WEIGHTS[wish.engine]}),
        ("one request at a time", {"concurrency": 1}),
    ]
    for message, change in candidates:
        other = replace(wish, **change)
        if other != wish and fit(checkpoint, card, other).fits:
            yield Near(message=message, wish=other)


def _weigh(
    checkpoint: Checkpoint,
    facts: Model,
    card: Card,
    wish: Wish,
    rules: Rules,
    warnings: tuple[str, ...],
) -> Fit:
    ledgers: list[Ledger] = []
    counts: list[tuple[int, float, float]] = []
    for number, stage in enumerate(shards.stages(facts.layers, wish.pp)):
        case = Case(checkpoint=checkpoint, model=facts, card=card, wish=wish, stage=stage)
        ledger = replace(rules.ledger(case), stage=number)
        capacity = rules.capacity(case)
        tokens, holds = capacity(ledger.kv)
        sure = capacity(ledger.kv - ledger.doubt)[1]
        ledgers.append(ledger)
        counts.append((tokens, holds, sure))
    tight = min(range(len(ledgers)), key=lambda n: (counts[n][2], ledgers[n].kv))
    reason, message = _verdict(ledgers[tight], *counts[tight], wish)
    return Fit(
        wish=wish,
        card=card.name,
        fits=reason == "Fits",
        reason=reason,
        message=message,
        ledgers=tuple(replace(one, kv=max(0, one.kv), reserve=_reserve(one)) for one in ledgers),
        tight=tight,
        tokens=min(count[0] for count in counts),
        holds=counts[tight][2],
        warnings=warnings,
    )


def _reserve(ledger: Ledger) -> int:
    """Return what the engine keeps: nothing of it is there where the KV cache has no room."""
    return ledger.reserve if ledger.kv >= 0 else max(0, ledger.reserve + ledger.kv)


def _verdict(ledger: Ledger, tokens: int, holds: float, sure: float, wish: Wish) -> tuple[str, str]:
    wanted = f"{wish.concurrency} × {wish.context:,} tokens"
    if ledger.kv <= 0:
        return "NoRoomForKv", (
            f"weights ({gib(ledger.weights)} a GPU), activation and what the engine keeps leave no"
            f" room for a KV cache: {gib(-ledger.kv)} are missing"
        )
    if holds < wish.concurrency:
        return "KvTooSmall", (
            f"a KV cache of {gib(ledger.kv)} a GPU ({tokens:,} tokens) does not hold {wanted}"
        )
    if ledger.reserve < ledger.spare:
        return "NoSpare", (
            f"beyond its share of the memory {gib(ledger.reserve)} are left, and start-up takes"
            f" about {gib(ledger.spare)} there: a smaller memory fraction would leave more"
        )
    if sure < wish.concurrency:
        return "TooTight", (
            f"{tokens:,} tokens of KV cache would hold {wanted}, but the reckoning may be off by"
            f" {gib(ledger.doubt)} a GPU: not sure to fit"
        )
    return "Fits", f"{tokens:,} tokens of KV cache hold {wanted}"


def _longest(checkpoint: Checkpoint, card: Card, wish: Wish) -> int | None:
    """Return the longest context below the wanted one that fits, in steps of 1,024 tokens."""
    low, high = SMALLEST // 1024, wish.context // 1024
    if high <= low or not fit(checkpoint, card, replace(wish, context=SMALLEST)).fits:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        fits = fit(checkpoint, card, replace(wish, context=middle * 1024)).fits
        low, high = (middle, high) if fits else (low, middle)
    return low * 1024
