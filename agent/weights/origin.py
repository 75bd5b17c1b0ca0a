"""Where the files of one commit of one model come from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from agent.weights.plan import File

# Beside the files while they come, removed before the rename: the library's notes, and what a
# download that was ended had so far. Every name below it that ends so is the begin of a file.
NOTES = ".cache"
BEGUN = ".part"


class Origin(Protocol):
    """A Hub or a directory. Methods raise whatever `trouble.explain` understands."""

    def check(self) -> None:
        """Raise unless we may have the model."""

    def listing(self) -> tuple[File, ...]:
        """Return all files of the commit."""

    def bring(self, directory: Path, files: Sequence[File]) -> None:
        """Fetch those of `files` that are missing in `directory`; go on with what was begun."""


def begun(directory: Path, file: File) -> Path:
    """Return where the begin of a file is kept until it is complete."""
    return directory / NOTES / "begun" / f"{file.path}{BEGUN}"
