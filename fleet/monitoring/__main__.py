"""Write the boards and the rules into a directory, for a Grafana and a Prometheus of your own.

`python -m fleet.monitoring DIRECTORY [RUNBOOKS]`; RUNBOOKS is where alerts say the runbooks are.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from fleet.monitoring import grafana, rules


def main(arguments: Sequence[str]) -> int:
    """Write them; return 0, or 2 for wrong use."""
    if not 1 <= len(arguments) <= 2 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    directory, runbooks = Path(arguments[0]), (*arguments[1:], "docs/runbooks")[0]
    directory.mkdir(parents=True, exist_ok=True)
    texts = {Path(path).name: text for path, text in grafana.boards().items()}
    for name, text in (texts | rules.files(runbooks)).items():
        (directory / name).write_text(text)
        print(directory / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
