"""TGI's rules, 3.3 (flash_causal_lm.py `warmup`, layers/fp8.py, flash_llama_modeling.py).

After a prefill of the largest batch, the KV cache gets what is free but for 10 % of the whole GPU
(TGI_WIGGLE_ROOM); graphs are captured out of those. `--max-total-tokens` must not exceed it.
`--quantize fp8` on a 16-bit Llama shrinks the MLPs of all layers but the first and the last; Llama
4 runs through transformers, which ignores it without a word.
"""

from collections.abc import Iterator

from agent.planner import activation, kv, refusals, shards, weights
from agent.planner.card import Card
from agent.planner.checkpoint import Tensor
from agent.planner.ledger import Ledger, Refusal
from agent.planner.rules import HOPPER, Capacity, Case, context, doubt, nccl
from agent.planner.shape import STATE, Kind, Model
from agent.planner.units import GIB, MIB, round_up, size_of
from agent.planner.weights import Online
from agent.planner.wish import Wish

PREFILL = 8192  # --max-batch-prefill-tokens when nobody sets it depends on card and model
GRAPHED = 32  # largest of the batch sizes 1, 2, 4, 8, 16, 32
# Bytes a weight takes once quantised online; 4-bit ones with a scale for each 64.
ONLINE = {
    "fp8": 1.0,
    "eetq": 1.0,
    "bitsandbytes": 1.0,
    "bitsandbytes-nf4": 0.5625,
    "bitsandbytes-fp4": 0.5625,
}
# Architectures of TGI's own code that split over shards and keep to `--quantize`.
OWN = ("Llama", "Mistral", "Mixtral", "Qwen2", "Gemma", "Phi", "Cohere", "Starcoder2", "Deepseek")
THROUGH_TRANSFORMERS = ("Llama4", "Qwen3", "GptOss", "Granite", "Olmo", "Glm")
ONLY_MLP = ("Llama", "Mistral")


class Tgi:
    """Satisfies `rules.Rules`."""

    def refusals(self, model: Model, card: Card, wish: Wish) -> Iterator[Refusal]:
        """Yield what a shard refuses: heads, pipelines, old cards, models it has no code for."""
        if wish.pp > 1:
            yield Refusal(reason="NoPipeline", message="TGI has no pipeline parallelism")
        for what, count in (("heads", model.heads), ("key-value heads", model.kv_heads)):
            if count % wish.tp and not (what != "heads" and model.latent_rank):
                yield Refusal(
                    reason="HeadsDoNotDivide",
                    message=f"{count} {what} are not divisible by {wish.tp} shards",
                )
        if any(kind.kind == STATE for kind in model.kinds) or "GptOss" in model.architecture:
            yield Refusal(
                reason="NotSupported", message=f"TGI 3.3 cannot serve {model.architecture}"
            )
        yield from refusals.too_old(model, card, wish)

    def warnings(self, model: Model, card: Card, wish: Wish) -> Iterator[str]:
        """Yield what starts, and surprises."""
        yield from refusals.emulated(model, card, wish)
        yield from refusals.linked(card, wish)
        if _foreign(model):
            yield f"{model.architecture} runs through transformers in TGI: slower, and best effort"
            if wish.quantize and not wish.quantize.startswith("bitsandbytes"):
                yield f"--quantize {wish.quantize} is silently ignored there"
        elif wish.quantize == "fp8" and model.quant is None and _only_mlp(model):
            yield "--quantize fp8 leaves attention, the first and the last layer in 16 bits"

    def ledger(self, case: Case) -> Ledger:
        """Reckon as the warm-up does."""
        model, card, wish, stage = case.model, case.card, case.wish, case.stage
        talk = nccl(card, wish.tp)
        held = weights.on_rank(case.checkpoint, model, wish, stage, _online(model, wish))
        tokens = wish.prefill or PREFILL
        peak = activation.peak(model, tokens, wish.sequences or 1, wish.tp, activation.SAMPLED)
        graphs = int(GRAPHED * 8 * MIB) if wish.graphs else 0
        kept = int(card.memory * (1 - wish.wiggle * (wish.fraction or 1.0)))
        lacking = min(0, kept - graphs)
        return Ledger(
            memory=card.memory,
            weights=held,
            activation=peak,
            graphs=graphs,
            communication=talk,
            runtime=context(card),
            reserve=max(0, kept - graphs),
            kv=card.memory - kept - context(card) - talk - held - peak,
            doubt=_doubt(case),
            spare=max(0, -lacking),
        )

    def capacity(self, case: Case) -> Capacity:
        """Turn bytes into tokens: windows keep everything, MLA of DeepSeek V2 is not compressed."""
        model, wish = case.model, case.wish
        size = kv.element(wish, size_of(weights.serving(model, wish)))
        kinds = tuple(_unfolded(kind, model) for kind in model.kinds)
        cell = kv.all_tokens(kinds, model, wish, size)

        def count(room: float) -> tuple[int, float]:
            tokens = max(0, int(room / cell))
            return tokens, tokens / wish.context

        return count


def _unfolded(kind: Kind, model: Model) -> Kind:
    if not model.latent_rank:
        return kind
    head = round_up(model.latent_up // model.latent_rank // model.heads, 64)
    return Kind(kind="full", layers=kind.layers, width=2 * model.heads * head)


def _foreign(model: Model) -> bool:
    return model.architecture.startswith(THROUGH_TRANSFORMERS) or not model.architecture.startswith(
        OWN
    )


def _only_mlp(model: Model) -> bool:
    return model.architecture.startswith(ONLY_MLP) and not model.experts


def _online(model: Model, wish: Wish) -> Online:
    """Say what `--quantize` shrinks; transformers quantises no experts that are bare parameters."""
    quantize = wish.quantize or ""
    element = ONLINE.get(quantize)
    foreign, only_mlp = _foreign(model), quantize == "fp8" and _only_mlp(model)

    def size(tensor: Tensor) -> float | None:
        own = shards.is_linear(tensor.name)
        if foreign:
            own = own and quantize.startswith("bitsandbytes") and "experts" not in tensor.name
        elif only_mlp:
            whole = shards.layer(tensor.name) in {0, model.layers - 1}
            own = own and "mlp" in tensor.name and not whole
        return element if own else None

    return size


def _doubt(case: Case) -> int:
    """Return how far off it may be: TGI prints little, and few of its start-ups were compared."""
    checkpoint, model, card, wish = case.checkpoint, case.model, case.card, case.wish
    return doubt(
        0.6,
        0.018 * checkpoint.bytes / wish.gpus / GIB,
        0.7 if wish.tp > 1 else 0,
        1.0 if model.vision or _foreign(model) else 0,
        0.5 if card.capability != HOPPER else 0,
    )
