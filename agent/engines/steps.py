"""How long an engine that counts its steps, and reads prompts in chunks, may make none.

With chunked prefill a prompt of any length is read in steps of at most so many tokens: 16,384 at
most by default (vLLM 0.33, SGLang 0.5.23). Such a step of a 70B model, 2.3e15 operations, takes
2.9 s on two H100s at 40 % of their peak; most models and GPUs need less.
"""

from agent.pace import Patience
from agent.spec import EngineSpec

USUAL = 16384  # tokens of one step
STEP = 2.9  # seconds that one such step may take; not 3: looks come once a second, or a bit more
STEP_WITHOUT_GPU = 30.0


def patience(engine: EngineSpec, tokens: int | None) -> Patience:
    """Return the patience for steps of at most `tokens` (None = the program's default).

    A suspect has made no step in the time of the longest. Its probe may have to wait for the end
    of another, and takes one itself, so under load 3 + 5 s go by without a single step: a hang is
    told within 10 s of looks at 1 Hz. When idle, a probe every 10 s that nothing answers in 3.5 s,
    during which no step ends, tells of one within 15 s.
    """
    step = STEP if engine.gpus else STEP_WITHOUT_GPU
    longest = engine.hang_after or step * max(1.0, (tokens or 0) / USUAL)
    return Patience(
        stalled=longest,
        probe=longest + 2.0,
        idle_probe=longest + 0.5,
        idle_slow=longest + 0.5,  # their /health knows nothing of steps
        blind=max(60.0, 4 * longest),
    )
