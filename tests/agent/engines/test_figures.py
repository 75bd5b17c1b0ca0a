"""What each engine counts, in neutral words, from captured scrapes."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.engines import ENGINES, exposition
from agent.engines.base import Engine
from agent.engines.figures import Figures, Work
from tests.agent.engines.examples import engine

HERE = Path(__file__).parent
SAMPLES = {kind: (HERE / "samples" / f"{kind}.txt").read_text() for kind in ENGINES}


@pytest.fixture(params=ENGINES)
def adapter(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


def figures(kind: str, more: str = "") -> Figures:
    return ENGINES[kind].figures(SAMPLES[kind] + more)


@pytest.mark.parametrize(
    ("kind", "work"),
    [
        ("tgi", Work(kv_use_ratio=None, generated=210)),
        ("vllm", Work(kv_use_ratio=0.0, generated=248)),
        ("sglang", Work(kv_use_ratio=0.03, generated=560)),
    ],
)
def test_what_it_does_now(kind: str, work: Work) -> None:
    assert ENGINES[kind].work(SAMPLES[kind]) == work


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("tgi", (None, 45, None, 210, None)),
        ("vllm", (2097152, 56, 0, 248, 0)),
        ("sglang", (435902, 301, 96, 240, 1)),
    ],
)
def test_what_it_has_counted(kind: str, expected: tuple[float | None, ...]) -> None:
    found = figures(kind)
    assert (
        found.kv_capacity_tokens,
        found.prompt_tokens,
        found.cached_prompt_tokens,
        found.generated_tokens,
        found.preemptions,
    ) == expected


@pytest.mark.parametrize(
    ("kind", "requests"),
    [
        ("tgi", {"done": 6, "rejected": 2, "aborted": 1, "failed": 2}),
        ("vllm", {"done": 8, "aborted": 0, "failed": 0, "rejected": 0}),
        ("sglang", {"done": 6, "aborted": 0, "rejected": 2}),
    ],
)
def test_how_requests_ended(kind: str, requests: dict[str, float]) -> None:
    assert figures(kind).requests == requests


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("tgi", {"queue", "token", "request"}),
        ("vllm", {"queue", "first_token", "token", "inter_token", "request"}),
        ("sglang", {"queue", "first_token", "token", "inter_token", "request"}),
    ],
)
def test_histograms_are_the_engines_own(kind: str, told: set[str]) -> None:
    """Against another reader: prometheus_client's, of the whole text."""
    found = figures(kind).seconds
    assert set(found) == told
    families = {one.name: one for one in text_string_to_metric_families(SAMPLES[kind])}
    for key, one in found.items():
        family = families[_name(kind, key)]
        theirs = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}
        assert {float(le): n for le, n in one.buckets} == {float(k): n for k, n in theirs.items()}
        assert one.buckets[-1][0] == "+Inf"
        assert one.sum == sum(s.value for s in family.samples if s.name.endswith("_sum"))


def _name(kind: str, key: str) -> str:
    module = __import__(f"agent.engines.{kind}_figures", fromlist=["NAMES"])
    return str(module.NAMES.seconds[key])


def test_what_is_not_told_is_absent(adapter: Engine) -> None:
    for text in ("", "# TYPE python_info gauge\npython_info 1\n"):
        assert adapter.work(text) == Work()
        assert adapter.figures(text) == Figures()


def test_several_cores_and_their_sums() -> None:
    other = SAMPLES["vllm"].replace('engine="0"', 'engine="1"')
    found = figures("vllm", other)
    assert found.generated_tokens == 2 * 248
    assert found.kv_capacity_tokens == 2 * 2097152
    assert dict(found.seconds["queue"].buckets)["+Inf"] == 16
    usage = 'vllm:kv_cache_usage_perc{engine="1"} 0.7\nvllm:kv_cache_usage_perc{engine="2"} NaN\n'
    assert ENGINES["vllm"].work(SAMPLES["vllm"] + usage).kv_use_ratio == 0.7


def test_ranks_of_one_copy_tell_of_the_same_tokens() -> None:
    more = (
        'sglang:realtime_tokens_total{mode="decode",tp_rank="1"} 561.0\n'
        'sglang:realtime_tokens_total{dp_rank="1",mode="decode",tp_rank="0"} 40.0\n'
        'sglang:realtime_tokens_total{mode="prefill_compute",tp_rank="0"} 9000.0\n'
    )
    assert ENGINES["sglang"].work(SAMPLES["sglang"] + more).generated == 561 + 40
    without = "\n".join(x for x in SAMPLES["sglang"].splitlines() if "realtime" not in x)
    assert ENGINES["sglang"].work(without).generated == 240


def test_tgi_tells_its_share_only_with_the_most() -> None:
    told = SAMPLES["tgi"] + "tgi_batch_max_total_tokens 16384\n"
    assert ENGINES["tgi"].work(told).kv_use_ratio == 0.25
    assert ENGINES["tgi"].figures(told).kv_capacity_tokens == 16384
    assert ENGINES["tgi"].work(SAMPLES["tgi"] + "tgi_batch_max_total_tokens 0\n") == Work(
        kv_use_ratio=None, generated=210
    )


BUCKETS = 'x_bucket{le="1"} 2\nx_bucket{le="+Inf"} 3\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        BUCKETS,  # no sum
        'x_bucket{le="1"} 2\nx_sum 3\n',  # no last bucket
        BUCKETS + "x_sum NaN\n",
        BUCKETS.replace("3", "NaN") + "x_sum 3\n",
        BUCKETS + 'x_bucket{le="many"} 3\nx_sum 3\n',
        BUCKETS + "x_bucket 3\nx_sum 3\n",
    ],
)
def test_half_a_histogram_is_none(text: str) -> None:
    assert exposition.histogram(text, "x") is None


def test_a_bound_is_not_taken_from_another_label() -> None:
    text = 'x_bucket{a="{le=\\"7",le="1"} 2\nx_bucket{le="+Inf",title="7"} 3\nx_sum 4\n'
    found = exposition.histogram(text, "x")
    assert found is not None
    assert found.buckets == (("1.0", 2), ("+Inf", 3))


@pytest.mark.parametrize(
    ("kind", "settings", "most"),
    [
        ("tgi", {}, 128),
        ("vllm", {}, None),
        ("vllm", {"max_running_requests": 8, "data_parallel": 2, "gpus": 2}, 16),
        ("sglang", {}, 128),
        ("sglang", {"max_running_requests": 8}, 8),
    ],
)
def test_the_most_requests_at_once(kind: str, settings: dict[str, int], most: int | None) -> None:
    assert ENGINES[kind].at_once(engine(kind, **settings)) == most
