"""Writes the corpus: `python -m tests.corpus.make`. The same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.corpus import FOLDER, benign, fatal
from tests.corpus.forms import FORMS, Sample


def files() -> dict[Path, str]:
    """Return every file of the corpus, by its path inside it."""
    made = {
        Path("benign") / f"{name}.txt": _in_turn(samples)
        for name, samples in benign.families().items()
    }
    made |= {
        Path("fatal/catalogue.txt"): _in_each(fatal.catalogue()),
        Path("fatal/together.txt"): _in_each(fatal.together()),
        Path("nvlink5/rules.txt"): _in_each(fatal.link5()),
    }
    return made


def main() -> None:
    """Write all files."""
    for path, text in files().items():
        (FOLDER / path).parent.mkdir(exist_ok=True)
        (FOLDER / path).write_text(text, "utf-8")


def _in_turn(samples: Iterable[Sample]) -> str:
    return "".join(one.render(FORMS[n % len(FORMS)]) for n, one in enumerate(samples))


def _in_each(samples: Iterable[Sample]) -> str:
    return "".join(one.render(form) for one in samples for form in FORMS)


if __name__ == "__main__":
    main()
