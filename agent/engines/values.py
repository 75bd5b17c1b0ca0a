"""Settings whose words differ from program to program: quantize, kv_cache_dtype, lora_rank."""

from collections.abc import Iterator, Mapping, Sequence


def faults(
    key: str, value: object, title: str, known: Sequence[str], hints: Mapping[str, str]
) -> Iterator[str]:
    """Yield what is wrong with a value that is not None: its hint, or what the program knows."""
    word = str(value)
    if word in hints:
        yield f"{key} = {value!r}: {hints[word]}"
    elif value is not None and word not in known:
        right = [one for one in known if one not in hints]
        yield f"{key} = {value!r}: {title} knows {', '.join(right)}"
