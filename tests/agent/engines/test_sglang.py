from pathlib import Path

import pytest

from agent.engines.base import Load
from agent.engines.sglang import Sglang
from tests.agent.engines.examples import EXAMPLES, GPUS, WEIGHTS, engine

SAMPLE = (Path(__file__).parent / "samples" / "sglang.txt").read_text()


def of_scheduler(metrics: str) -> str:
    """The scrape of an image that does not count its HTTP requests."""
    return "".join(line for line in metrics.splitlines(True) if "http_requests" not in line)


def gauges(running: dict[str, int]) -> str:
    """Labels → running requests; none is queued."""
    return "".join(
        f"sglang:num_running_reqs{{{labels}}} {count}.0\nsglang:num_queue_reqs{{{labels}}} 0.0\n"
        for labels, count in running.items()
    )


def test_load_is_every_open_post_and_progress_every_pass() -> None:
    assert Sglang().load(SAMPLE) == Load(running=3, waiting=1)
    assert Sglang().progress(SAMPLE) == 9 + 311 + 311


def test_an_open_stream_counts_before_the_scheduler_has_told_of_it() -> None:
    metrics = gauges({'tp_rank="0"': 0}) + (
        'sglang:http_requests_active{endpoint="/v1/chat/completions",method="POST"} 1.0\n'
    )
    assert Sglang().load(metrics).in_flight == 1


def test_idle_is_idle_though_the_scheduler_still_tells_of_its_last_requests() -> None:
    metrics = SAMPLE.replace('/v1/chat/completions",method="POST"} 4.0', '/x",method="POST"} 0.0')
    assert Sglang().load(metrics) == Load(running=0, waiting=0)


def test_our_own_looks_are_no_requests() -> None:
    metrics = 'sglang:http_requests_active{endpoint="/metrics",method="GET"} 1.0\n'
    assert Sglang().load(metrics) == Load(running=0, waiting=0)


def test_without_a_count_of_open_requests_the_scheduler_is_believed() -> None:
    assert Sglang().load(of_scheduler(SAMPLE)) == Load(running=2, waiting=1)


@pytest.mark.parametrize(
    ("running", "total"),
    [
        ({'pp_rank="0",tp_rank="0"': 3, 'pp_rank="0",tp_rank="1"': 3}, 3),
        ({'pp_rank="0",tp_rank="0"': 3, 'pp_rank="1",tp_rank="0"': 2}, 3),
        ({'dp_rank="0",tp_rank="0"': 3, 'dp_rank="1",tp_rank="1"': 4}, 7),
        (
            {
                'dp_rank="0",tp_rank="0"': 3,
                'dp_rank="0",tp_rank="1"': 3,
                'dp_rank="1",tp_rank="2"': 4,
                'dp_rank="1",tp_rank="3"': 4,
            },
            7,
        ),
        ({'priority="",tp_rank="0"': 5, 'priority="0",tp_rank="0"': 2}, 5),
        ({'dp_rank="0"': 0, 'dp_rank="1"': 0}, 0),
    ],
)
def test_a_request_counts_once_whatever_its_ranks(running: dict[str, int], total: int) -> None:
    assert Sglang().load(gauges(running)) == Load(running=total, waiting=0)


def test_requests_whose_grammar_is_compiled_wait() -> None:
    metrics = of_scheduler(SAMPLE).replace("} 0.0", "} 6.0")
    assert Sglang().load(metrics).waiting == 1 + 6


@pytest.mark.parametrize(
    "step",
    [
        'sglang:cuda_graph_passes_total{mode="decode_none",tp_rank="0"} 1.0\n',
        'sglang:forward_execution_seconds_total{category="extend",tp_rank="0"} 0.25\n',
    ],
)
def test_progress_grows_with_each_kind_of_step(step: str) -> None:
    before, after = Sglang().progress(SAMPLE), Sglang().progress(SAMPLE + step)
    assert before is not None
    assert after is not None
    assert after > before


def test_progress_before_the_first_step_is_unknown() -> None:
    assert Sglang().progress("sglang:num_running_reqs 0.0\n") is None


def test_health_is_a_state_and_generates_nothing() -> None:
    container = Sglang().container(engine("sglang"), WEIGHTS, GPUS)
    assert container.environment["SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION"] == "0"


def test_the_image_has_no_entry_point_so_the_command_names_the_program() -> None:
    command = Sglang().container(engine("sglang"), WEIGHTS, GPUS).command
    assert command[:4] == ("sglang", "serve", "--model-path", "/model")


def test_extra_args_do_not_run_into_a_flag_that_takes_a_list() -> None:
    command = Sglang().container(engine("sglang"), WEIGHTS, GPUS).command
    assert command[-1] == "--enable-metrics"


def test_bitsandbytes_needs_its_own_loader() -> None:
    command = Sglang().container(engine("sglang", quantize="bitsandbytes"), WEIGHTS, GPUS).command
    assert command[command.index("--load-format") + 1] == "bitsandbytes"
    assert "--load-format" not in Sglang().container(engine("sglang"), WEIGHTS, GPUS).command


def test_the_stop_deadline_is_ours() -> None:
    assert Sglang().stop_deadline(engine("sglang", drain_deadline=60)) == 85


@pytest.mark.parametrize(
    ("name", "steps", "tokens"), [("ngram", None, "8"), ("draft", "4", "5"), ("mtp", "1", "2")]
)
def test_n_guesses_are_n_plus_one_tokens(name: str, steps: str | None, tokens: str) -> None:
    command = Sglang().container(EXAMPLES[f"sglang-{name}"], WEIGHTS, GPUS).command
    assert command[command.index("--speculative-num-draft-tokens") + 1] == tokens
    if steps is None:
        assert "--speculative-num-steps" not in command
    else:
        assert command[command.index("--speculative-num-steps") + 1] == steps


def test_the_probe_asks_for_the_served_name() -> None:
    assert Sglang().chat(engine("sglang", served_name="chat")).body["model"] == "chat"
    assert Sglang().chat(engine("sglang")).body["model"] == "stoker/tiny-llama"
