"""Kernel logs with a known outcome: `benign/` must drain nothing, `fatal/` must all be seen.

`python -m tests.corpus.make` writes the files again, always the same. What is right for a trace
comes from the tables' own columns (`labels.py`), never from the code that is being measured.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
