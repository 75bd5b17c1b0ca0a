"""What an engine serves besides its model: LoRA adapters, and a draft model that guesses ahead.

Both are named by repository and commit, like the model, and lie under the same root, so that they
are fetched and verified in the same way. The engine gets local directories, read-only.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from agent.engine_spec import folder, split_pin
from agent.engines.base import Mount
from agent.spec import EngineSpec

MODEL, DRAFT, ADAPTERS = "/model", "/draft", "/lora"
WITH_A_MODEL = frozenset({"draft", "eagle", "eagle3"})
WITHOUT_A_MODEL = frozenset({"ngram"})
# It becomes part of a path and of a list; clients send it as the name of the model.
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,62}")


def mounts(engine: EngineSpec, weights: str) -> tuple[Mount, ...]:
    """Return the directories of weights; `weights` is the model's own on the host."""
    root = PurePosixPath(weights).parents[1]
    found = [Mount(source=weights, target=MODEL)]
    if engine.speculation_model:
        found.append(_mount(root, engine.speculation_model, DRAFT))
    found += [_mount(root, pin, path) for pin, path in _adapters(engine)]
    return tuple(found)


def adapters(engine: EngineSpec) -> tuple[str, ...]:
    """Return `NAME=PATH` of each adapter, as all three programs want it."""
    return tuple(f"{name}={ADAPTERS}/{name}" for name in sorted(engine.lora_adapters))


def faults(engine: EngineSpec, refused: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each fault; `refused` maps a kind of speculation to the alternative."""
    yield from _speculation(engine, refused)
    for name in sorted(engine.lora_adapters):
        if not NAME.fullmatch(name):
            yield (
                f"lora_adapters[{name!r}]: a name has 1 to 63 letters, digits, '.', '_' and '-', "
                "a letter or digit first"
            )
        if name == engine.name_served:
            yield f"lora_adapters[{name!r}]: is the name of the model itself; give it another"
    if engine.lora_rank and not engine.lora_adapters:
        yield f"lora_rank = {engine.lora_rank}: means nothing without lora_adapters"


def _speculation(engine: EngineSpec, refused: Mapping[str, str]) -> Iterator[str]:
    kind, tokens, model = engine.speculation, engine.speculation_tokens, engine.speculation_model
    if kind is not None and kind in refused:
        yield f"speculation = {kind!r}: {refused[kind]}"
        return
    if kind is None:
        for field, value in (("speculation_tokens", tokens), ("speculation_model", model)):
            if value is not None:
                yield f"{field} = {value!r}: means nothing without speculation"
        return
    if tokens is None:
        yield f"speculation = {kind!r}: needs speculation_tokens, how many are guessed at once"
    if kind in WITH_A_MODEL and model is None:
        yield f"speculation = {kind!r}: needs speculation_model, ORGANISATION/NAME@COMMIT"
    if kind in WITHOUT_A_MODEL and model is not None:
        yield f"speculation_model = {model!r}: {kind!r} guesses without a model; leave it at None"


def _adapters(engine: EngineSpec) -> list[tuple[str, str]]:
    return [(engine.lora_adapters[n], f"{ADAPTERS}/{n}") for n in sorted(engine.lora_adapters)]


def _mount(root: PurePosixPath, pin: str, target: str) -> Mount:
    return Mount(source=str(root / folder(*split_pin(pin))), target=target)
