"""How patient the adapters are: the targets hold, and what is slow by its nature has its time."""

import pytest

from agent.engines import ENGINES
from agent.pace import IDLE_EVERY
from tests.agent.engines.examples import engine


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
@pytest.mark.parametrize("tokens", [None, 2048, 8192, 16384])
def test_engines_that_count_their_steps_hold_the_targets(kind: str, tokens: int | None) -> None:
    found = ENGINES[kind].patience(engine(kind, max_batch_prefill_tokens=tokens))
    assert found.stalled + found.probe <= 8
    assert IDLE_EVERY + found.idle_probe < 14
    assert found.blind >= 60


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_longer_steps_have_more_time(kind: str) -> None:
    found = ENGINES[kind].patience(engine(kind, max_batch_prefill_tokens=131072))
    assert (found.stalled, found.probe, found.idle_probe, found.blind) == (23.2, 25.2, 23.7, 92.8)


def test_vllm_without_chunked_prefill_reads_a_whole_prompt_in_a_step() -> None:
    settings = {"max_total_tokens": 131072, "max_input_tokens": 130000}
    whole = engine("vllm", extra_args=("--no-enable-chunked-prefill",), **settings)
    assert ENGINES["vllm"].patience(whole).stalled == 23.2
    assert ENGINES["vllm"].patience(engine("vllm", **settings)).stalled == 2.9


def test_a_cpu_has_ten_times_the_time() -> None:
    assert ENGINES["vllm"].patience(engine("vllm", gpus=0)).stalled == 30.0


def test_tgi_leaves_nccl_its_120_seconds() -> None:
    found = ENGINES["tgi"].patience(engine("tgi"))
    assert (found.stalled, found.probe, found.idle_slow, found.blind) == (150.0, 30.0, 180.0, 180.0)


def test_every_step_of_vllm_shows_though_it_gives_no_token() -> None:
    def metrics(steps: int, usage: float, waiting: int) -> str:
        return (
            f'vllm:iteration_tokens_total_count{{engine="0"}} {steps}\n'
            f'vllm:kv_cache_usage_perc{{engine="0"}} {usage}\n'
            f'vllm:num_requests_waiting{{engine="0"}} {waiting}\n'
        )

    seen = [
        metrics(248, 0.0, 0),
        metrics(248, 0.016, 0),
        metrics(248, 0.016, 1),
        metrics(249, 0, 0),
    ]
    told = [ENGINES["vllm"].progress(one) for one in seen]
    assert len(set(told)) == len(seen)
    assert [int(one or 0) for one in told] == [248, 248, 248, 249]
    assert ENGINES["vllm"].progress('vllm:kv_cache_usage_perc{engine="0"} 0.1\n') is None


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("seconds", [2.0, 45.0])
def test_the_operator_has_the_last_word(kind: str, seconds: float) -> None:
    found = ENGINES[kind].patience(engine(kind, hang_after=seconds, gpus=1))
    assert found.stalled == seconds
    assert found.blind > seconds
