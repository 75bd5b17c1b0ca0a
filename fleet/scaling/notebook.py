"""The file in which `stoker scale` keeps what it saw and told: below `.stoker/`, by inventory."""

import hashlib
from pathlib import Path

import msgspec

from agent.errors import GARBLED, StokerError
from fleet.program import CACHE
from fleet.scaling.telling import Memory

Memories = dict[str, Memory]


def place(inventory: str, root: Path = CACHE) -> Path:
    """Return the file that belongs to an inventory."""
    name = hashlib.sha256(str(Path(inventory).resolve()).encode()).hexdigest()[:16]
    return root / f"scale-{name}.json"


def load(path: Path) -> Memories:
    """Return what was kept, by model; nothing is kept before the first look."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Memories)
    except FileNotFoundError:
        return {}
    except (OSError, *GARBLED) as error:
        raise StokerError(f"{path}: cannot be read ({error}); remove it to begin anew") from error


def save(path: Path, memories: Memories) -> None:
    """Write all of it or nothing."""
    new = path.with_name(path.name + ".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    new.write_bytes(msgspec.json.encode(memories))
    new.replace(path)
