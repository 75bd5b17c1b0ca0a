"""The engine's processes, in a small file: written by the API server, read by the minder."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tree:
    """How far the engine is, and the process ids of its ranks."""

    phase: str = "starting"
    ranks: tuple[int, ...] = ()


def publish(run_dir: Path, tree: Tree) -> None:
    """Say what the tree looks like now."""
    scratch = run_dir / "tree.new"
    scratch.write_text(json.dumps(asdict(tree)))
    scratch.rename(run_dir / "tree.json")


def read(run_dir: Path) -> Tree:
    """The tree as it was last published."""
    try:
        known = json.loads((run_dir / "tree.json").read_text())
    except FileNotFoundError:
        return Tree()
    return Tree(phase=known["phase"], ranks=tuple(known["ranks"]))
