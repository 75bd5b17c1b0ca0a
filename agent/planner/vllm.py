"""vLLM's rules, 0.15 to 0.33 (its V1 engine).

gpu_worker.py `determine_available_memory`: the KV cache gets what remains of fraction × total after
weights, non-torch memory and the peak of a profiling pass, and since 0.21 an estimate of the CUDA
graphs; before that, graphs came out of what the fraction left. The snapshot this counts from is
taken once NCCL is up, so context and communicators lie outside; the fraction must be free by then.

The sampler's copies of the logits: its sort took 9.4 of them up to 0.16, the kernel that replaced
it 3.6; model runner V2 (0.31 on) keeps 2.5.
"""

import math
from collections.abc import Iterator

from agent.planner import activation, kv, refusals, shards, weights
from agent.planner.card import Card
from agent.planner.checkpoint import Checkpoint
from agent.planner.ledger import Ledger, Refusal
from agent.planner.rules import HOPPER, Capacity, Case, context, doubt, nccl
from agent.planner.shape import STATE, Model
from agent.planner.units import GIB, MIB, gib, size_of
from agent.planner.weights import Online
from agent.planner.wish import Version, Wish

KERNEL_SAMPLER = Version(major=0, minor=17)
WORKSPACE = Version(major=0, minor=18)
GRAPHS_COUNTED = Version(major=0, minor=21)
RUNNER_V2 = Version(major=0, minor=31)
SNAPSHOT_AFTER = Version(major=0, minor=11)
STREAMED = Version(major=0, minor=20)  # online quantisation layer by layer; 0.13 loaded all first
FRACTION_92 = Version(major=0, minor=20)

# Bytes a weight takes once quantised online; bitsandbytes keeps 4 bits and a scale for each 64.
ONLINE = {
    "fp8": 1.0,
    "fp8_per_tensor": 1.0,
    "fp8_per_channel": 1.0,
    "fp8_per_block": 1.0,
    "w8a8_fp8": 1.0,
    "bitsandbytes": 0.5625,
}
PLUGINS = {"gguf", "bitsandbytes"}  # since 0.32 in packages of their own
LARGE = 70 * GIB


class Vllm:
    """Satisfies `rules.Rules`."""

    def refusals(self, model: Model, card: Card, wish: Wish) -> Iterator[Refusal]:
        """Yield what vLLM refuses: degrees, old cards, long contexts, memory that is not free."""
        yield from refusals.degrees(model, wish)
        yield from refusals.context(model, wish, "VLLM_ALLOW_LONG_MAX_MODEL_LEN")
        yield from refusals.too_old(model, card, wish)
        free = card.memory - context(card) - self._outside(card, wish)
        asked = self._asked(card, wish)
        if asked > free:
            yield Refusal(
                reason="FractionNotFree",
                message=f"Free memory on device ({gib(free)}/{gib(card.memory)}) on startup is less"
                f" than desired GPU memory utilization ({self._fraction(wish)}, {gib(asked)})",
            )

    def warnings(self, model: Model, card: Card, wish: Wish) -> Iterator[str]:
        """Yield what starts, and surprises."""
        yield from refusals.emulated(model, card, wish)
        yield from refusals.linked(card, wish)
        if {wish.quantize, model.quant.method if model.quant else None} & PLUGINS:
            yield "vLLM needs a plugin package in the image for bitsandbytes and GGUF"
        if any(kind.kind == STATE for kind in model.kinds):
            yield "layers that keep a state are reckoned roughly"

    def ledger(self, case: Case) -> Ledger:
        """Reckon as the profiling run does."""
        model, card, wish, stage = case.model, case.card, case.wish, case.stage
        tokens, rows = batch(card, wish)
        held = self._weights(case.checkpoint, model, wish, stage)
        peak = activation.peak(model, tokens, rows, wish.tp, self._copies(wish), last=case.last)
        graphs = self._graphs(model, card, wish, stage)
        inside, outside = self._runtime(wish), self._outside(card, wish)
        talk = self._reduce(card, wish) + nccl(card, wish.gpus) - outside
        asked = self._asked(card, wish)
        counted = graphs if wish.version >= GRAPHS_COUNTED else 0
        room = asked - held - peak - counted - inside - talk
        if wish.quantize and wish.version < STREAMED:
            whole = weights.on_rank(case.checkpoint, model, wish, stage, weights.as_stored)
            room = min(room, card.memory - context(card) - outside - whole)
        beyond = card.memory - asked - context(card) - outside - (graphs - counted)
        return Ledger(
            memory=card.memory,
            weights=held,
            activation=peak,
            graphs=graphs,
            communication=outside + talk,
            runtime=context(card) + inside,
            reserve=max(0, beyond),
            kv=room,
            spare=self._spare(model, graphs - counted),
            doubt=self._doubt(case, peak, graphs),
        )

    def capacity(self, case: Case) -> Capacity:
        """Turn bytes into tokens as `get_kv_cache_capacity` does."""
        model, wish = case.model, case.wish
        kinds = kv.of_stage(model, case.stage)
        size = kv.element(wish, size_of(weights.serving(model, wish)))

        def count(room: float) -> tuple[int, float]:
            if room <= 0:
                return 0, 0.0
            if kv.is_plain(kinds) or wish.version < GRAPHS_COUNTED:
                token = kv.padded(kinds, model, wish, size)
                tokens = int(room / token) // kv.BLOCK * kv.BLOCK
                return tokens, tokens / wish.context
            ahead = batch(case.card, wish)[0] * max(
                2, wish.pp
            )  # asynchronous scheduling: two batches
            holds = kv.grouped(room, kinds, model, wish, size, ahead)
            return int(holds * wish.context), holds

        return count

    def _weights(self, checkpoint: Checkpoint, model: Model, wish: Wish, stage: range) -> int:
        return (
            weights.on_rank(checkpoint, model, wish, stage, online(wish))
            + weights.padding(checkpoint, model, wish, stage)
            + weights.ropes(model, wish.context, size_of(weights.serving(model, wish)))
            + weights.absorbed(model, wish, stage)
        )

    def _fraction(self, wish: Wish) -> float:
        return wish.fraction or (0.92 if wish.version >= FRACTION_92 else 0.9)

    def _asked(self, card: Card, wish: Wish) -> int:
        return math.ceil(card.memory * self._fraction(wish))

    def _copies(self, wish: Wish) -> float:
        if wish.version < KERNEL_SAMPLER:
            return activation.SORTED
        return activation.SAMPLED if wish.version < RUNNER_V2 else activation.PLAIN

    def _runtime(self, wish: Wish) -> int:
        """Return "non-torch forward increase": attention and matrix workspaces."""
        if wish.pp > 1:
            return int(0.07 * GIB)
        return int((0.25 if wish.version >= WORKSPACE else 0.13) * GIB)

    def _outside(self, card: Card, wish: Wish) -> int:
        """Return NCCL's share that is there before the snapshot is taken."""
        return nccl(card, wish.gpus) if wish.version >= SNAPSHOT_AFTER else 0

    def _reduce(self, card: Card, wish: Wish) -> int:
        """Return what all-reduce adds to it: symmetric memory, FlashInfer's buffers on Hopper."""
        if wish.tp == 1:
            return 0
        modern = card.capability >= 90 and card.nvlink and wish.version >= WORKSPACE
        return int((1.86 if modern else 0.3) * GIB)

    def _graphs(self, model: Model, card: Card, wish: Wish, stage: range) -> int:
        """Return the CUDA graphs: of mixed batches in pieces, of decode batches whole.

        From "Estimated CUDA graph memory" of 28 and 48 layers: 0.33 GiB for the first captures,
        then 0.1 to 0.2 MiB a layer and size of pieces, less of whole ones; of experts twice that.
        """
        if not wish.graphs:
            return 0
        rows = batch(card, wish)[1]
        pieces, whole = _sizes(min(512, 2 * rows)), _sizes(min(512, rows))
        if model.architecture.startswith("Llama4"):  # chunked attention is captured in pieces only
            whole = 0
        dear = 2 if model.experts else 1
        return int(0.33 * GIB + len(stage) * dear * (0.15 * pieces + 0.1 * whole) * MIB)

    def _spare(self, model: Model, uncounted: int) -> int:
        """Return what start-up takes besides: fragments; MXFP4 experts are repacked on the GPU.

        gpt-oss-20b at 0.95 of an H100 ran out of memory warming up the sampler; at 0.90 it started.
        """
        packed = model.quant is not None and model.quant.method == "mxfp4"
        return int(0.3 * GIB + 0.3 * uncounted + (2.5 * GIB if packed else 0))

    def _doubt(self, case: Case, peak: int, graphs: int) -> int:
        """Return how far off it may be: more where fewer start-ups were compared."""
        checkpoint, model, card, wish = case.checkpoint, case.model, case.card, case.wish
        drawn = 0.006 if checkpoint.drawn else 0.002
        return doubt(
            0.25,
            0.15 * peak / GIB,
            0.4 * graphs / GIB,
            drawn * checkpoint.bytes / wish.gpus / GIB,
            0.5 if card.capability != HOPPER else 0,
            0.4 if wish.tp > 1 else 0,
            0.5 if model.vision else 0,
            0.4 if model.experts else 0,
            1.5 if any(kind.kind == STATE for kind in model.kinds) else 0,
        )


def batch(card: Card, wish: Wish) -> tuple[int, int]:
    """Return the tokens and the sequences of one step (arg_utils.py, `get_batch_defaults`).

    An A100 80 GB is meant to get the small defaults, but in 0.31 its peak is that of the large.
    """
    small = card.capability == 80 and wish.version < RUNNER_V2
    large = card.memory >= LARGE and not small
    tokens = 16384 if card.memory >= 160 * GIB else 8192 if large else 2048
    return wish.prefill or tokens, min(wish.sequences or (1024 if large else 256), 1024)


def _sizes(largest: int) -> int:
    """Return how many sizes up to `largest` are captured: 1, 2, 4, by 8 to 256, then by 16."""
    return 3 + min(largest, 256) // 8 + max(0, largest - 256) // 16


def online(wish: Wish) -> Online:
    """Say what `--quantization` shrinks: linear layers, neither embeddings nor the head."""
    element = ONLINE.get(wish.quantize or "")
    return lambda tensor: element if shards.is_linear(tensor.name) else None
