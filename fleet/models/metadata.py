"""A checkpoint's configuration and tensors, read from the Hub without downloading the weights.

The header of a safetensors file is its first bytes, which a range request brings: a few MB tell
what hundreds of GB consist of. A commit never changes, so what was read once is kept.
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from agent.engine_spec import folder
from agent.errors import GARBLED, ActionError
from agent.planner import checkpoint
from agent.weights.plan import File
from fleet.program import CACHE

if TYPE_CHECKING:
    from huggingface_hub.utils import SafetensorsFileMetadata  # type: ignore[attr-defined]  # lazy

    from agent.weights.hub import HuggingFace
    from agent.weights.trouble import Asked

KEPT = CACHE / "cache" / "metadata"
DELAYS = (2.0, 5.0)  # seconds between two tries: a person waits
AT_ONCE = 8  # headers
CONFIG, INDEX = "config.json", "model.safetensors.index.json"


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor as it lies in a file; `dtype` by safetensors' names (BF16, F8_E4M3, I32)."""

    dtype: str
    shape: tuple[int, ...]
    bytes: int


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """One commit: config.json (empty if it has none), and the tensors of each file of weights.

    The files are those that the index names, if there is one: `consolidated.safetensors` and the
    like are a second copy.
    """

    repo: str
    commit: str
    config: dict[str, Any]
    files: dict[str, dict[str, Tensor]]

    @property
    def bytes(self) -> int:
        """The size of all tensors."""
        return sum(tensor.bytes for tensors in self.files.values() for tensor in tensors.values())

    @property
    def parameters(self) -> dict[str, int]:
        """The number of elements of each data type. Packed formats count what they pack into."""
        counts: dict[str, int] = {}
        for tensor in self.checkpoint.tensors:
            counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.elements
        return counts

    @property
    def checkpoint(self) -> checkpoint.Checkpoint:
        """The same as the planner takes it."""
        tensors = tuple(
            checkpoint.Tensor(name=name, dtype=tensor.dtype, shape=tensor.shape)
            for found in self.files.values()
            for name, tensor in found.items()
        )
        return checkpoint.Checkpoint(name=self.repo, config=self.config, tensors=tensors)


def read(
    asked: "Asked",
    token: str | None,
    *,
    say: Callable[[str], None],
    pause: Callable[[float], None],
    kept: Path = KEPT,
) -> Metadata:
    """Return the metadata of a commit; raise `ActionError` with a sentence for the operator."""
    path = kept / f"{folder(asked.repo, asked.commit)}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Metadata)
    except (OSError, *GARBLED):
        pass  # not read yet, or by another version of this program
    # The Hub's library is heavy, and is needed by those alone that ask it.
    from agent.weights.hub import HuggingFace  # noqa: PLC0415
    from agent.weights.patience import patiently  # noqa: PLC0415

    hub = HuggingFace(asked.hub, asked.repo, asked.commit, token)

    def ask() -> Metadata:
        hub.check()
        return from_hub(hub, asked, hub.listing())

    made = patiently(ask, asked, say, pause, DELAYS)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(made))
    new.replace(path)
    return made


def from_hub(hub: "HuggingFace", asked: "Asked", listing: Sequence[File]) -> Metadata:
    """Ask the Hub, a request a file; raise what `trouble.explain` understands, or `ActionError`."""
    paths = {file.path for file in listing}
    config = _document(hub, asked, CONFIG) if CONFIG in paths else {}
    weights = sorted(path for path in paths if path.endswith(".safetensors") and "/" not in path)
    if INDEX in paths:
        weights = sorted(set(_document(hub, asked, INDEX)["weight_map"].values()))
    if not weights:
        from agent.weights.trouble import pickled  # noqa: PLC0415 - see above

        raise ActionError(pickled(asked))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda path: _tensors(_header(hub, asked, path)), weights))
    files = dict(zip(weights, found, strict=True))
    return Metadata(repo=asked.repo, commit=asked.commit, config=config, files=files)


def _header(hub: "HuggingFace", asked: "Asked", path: str) -> "SafetensorsFileMetadata":
    return hub.api.parse_safetensors_file_metadata(asked.repo, path, revision=asked.commit)


def _tensors(header: "SafetensorsFileMetadata") -> dict[str, Tensor]:
    return {
        name: Tensor(
            dtype=info.dtype,
            shape=tuple(info.shape),
            bytes=info.data_offsets[1] - info.data_offsets[0],
        )
        for name, info in header.tensors.items()
    }


def _document(hub: "HuggingFace", asked: "Asked", path: str) -> dict[str, Any]:
    with TemporaryDirectory() as directory:
        file = hub.api.hf_hub_download(asked.repo, path, revision=asked.commit, local_dir=directory)
        try:
            found: dict[str, Any] = json.loads(Path(file).read_bytes())
        except GARBLED as error:
            raise ActionError(f"{asked.repo}: {path} is no JSON: {error}") from error
    return found
