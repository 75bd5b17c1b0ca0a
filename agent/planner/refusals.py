"""What engines refuse before memory matters: degrees that do not divide, old cards, contexts."""

from collections.abc import Iterator

from agent.planner import weights
from agent.planner.card import Card
from agent.planner.ledger import Refusal
from agent.planner.shape import Model
from agent.planner.wish import Wish

BF16_SINCE = 80  # compute capability


def degrees(model: Model, wish: Wish) -> Iterator[Refusal]:
    """Yield why the tensor-parallel degree cannot split this model (asserts of vLLM and SGLang)."""
    tp = wish.tp
    if model.heads % tp:
        yield Refusal(
            reason="HeadsDoNotDivide",
            message=f"Total number of attention heads ({model.heads}) must be divisible by tensor"
            f" parallel size ({tp}).",
        )
    if not model.latent_rank and model.kv_heads % tp and tp % model.kv_heads:
        yield Refusal(
            reason="KvHeadsDoNotDivide",
            message=f"{model.kv_heads} key-value heads can neither be split nor replicated over"
            f" {tp} ranks: one must divide the other",
        )
    widths = {model.intermediate} if not model.experts else set()
    if model.experts and not wish.expert_parallel:
        widths = {model.expert_width}
    yield from (_width(width, tp) for width in sorted(widths) if width % tp)
    yield from _blocks(model, wish)


def _width(width: int, tp: int) -> Refusal:
    return Refusal(reason="WidthDoesNotDivide", message=f"{width} is not divisible by {tp}")


def _blocks(model: Model, wish: Wish) -> Iterator[Refusal]:
    """Check that no quantisation block or group is cut in two."""
    quant = model.quant
    if quant is None or wish.tp == 1:
        return
    split_experts = model.experts and not wish.expert_parallel
    inner = model.expert_width if split_experts else model.intermediate
    if model.experts and not split_experts:
        return
    part, unit = inner // wish.tp, quant.block or quant.group
    if unit and part % unit:
        what = (
            f"The output_size of gate's and up's weight = {part} is not divisible by weight"
            f" quantization block_n = {quant.block}."
            if quant.block
            else f"Weight input_size_per_partition = {part} is not divisible by group_size ="
            f" {quant.group}."
        )
        advice = "use expert parallelism" if model.experts else "use fewer ranks"
        yield Refusal(reason="BlocksDoNotDivide", message=f"{what} To avoid it, {advice}")


def context(model: Model, wish: Wish, override: str) -> Iterator[Refusal]:
    """Refuse a context the model was not made for; `override` = the variable that allows it."""
    if wish.context > model.context:
        yield Refusal(
            reason="ContextTooLong",
            message=f"a context of {wish.context:,} tokens is more than the model's"
            f" {model.context:,}; {override}=1 overrides it, at the price of wrong answers",
        )


def too_old(model: Model, card: Card, wish: Wish) -> Iterator[Refusal]:
    """Refuse bfloat16 and FP8 on a GPU that has neither."""
    if card.capability >= BF16_SINCE:
        return
    if weights.serving(model, wish) == "BF16":
        yield Refusal(
            reason="NoBfloat16",
            message=f"{card.name} has no bfloat16 (compute capability"
            f" {card.capability / 10:.1f} < 8.0); use dtype float16",
        )
    if _is_fp8(model, wish):
        yield Refusal(reason="NoFp8", message=f"{card.name} is too old for FP8 weights")


def emulated(model: Model, card: Card, wish: Wish) -> Iterator[str]:
    """Warn where FP8 saves memory and no time."""
    if card.capability < 89 and _is_fp8(model, wish):
        yield f"{card.name} has no FP8 arithmetic: FP8 weights save memory there, not time"


def linked(card: Card, wish: Wish) -> Iterator[str]:
    """Warn of ranks that talk over PCIe."""
    if wish.tp > 1 and not card.nvlink:
        yield f"{card.name} has no NVLink: {wish.tp} ranks share PCIe, and each layer waits for it"


def _is_fp8(model: Model, wish: Wish) -> bool:
    stored = model.quant is not None and model.quant.fp8
    return stored or (wish.quantize or "").startswith("fp8")
