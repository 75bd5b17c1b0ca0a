"""What engines say of themselves, told on to Prometheus in neutral words."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from agent.engine_books import AGE, COUNTERS, SECONDS, EngineBooks
from agent.engines import ENGINES

SAMPLES = {
    kind: (Path(__file__).parent / "engines" / "samples" / f"{kind}.txt").read_text()
    for kind in ENGINES
}


class Books:
    """One engine of each kind, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.books = EngineBooks(ENGINES, lambda: self.now)
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self.books)

    def text(self) -> str:
        return generate_latest(self.registry).decode()

    def samples(self) -> dict[str, float]:
        return {
            one.name + str(sorted(one.labels.items())): one.value
            for family in text_string_to_metric_families(self.text())
            for one in family.samples
        }


@pytest.fixture
def told() -> Books:
    made = Books()
    for kind, text in SAMPLES.items():
        made.books.take(kind, text)
    return made


def test_types_are_what_they_are(told: Books) -> None:
    text = told.text()
    for name, _ in COUNTERS:
        assert f"# TYPE stoker_engine_{name}_total counter" in text
    for key in SECONDS:
        assert f"# TYPE stoker_engine_{key}_seconds histogram" in text
    assert "# TYPE stoker_engine_kv_capacity_tokens gauge" in text
    assert "_created" not in text


def test_one_name_serves_three_engines(told: Books) -> None:
    found = told.samples()
    values = [
        found[f"stoker_engine_generated_tokens_total[('engine', '{kind}')]"] for kind in ENGINES
    ]
    assert sorted(values) == [210, 240, 248]
    for key in ("queue", "token", "request"):
        for kind in ENGINES:
            assert found[f"stoker_engine_{key}_seconds_count[('engine', '{kind}')]"] > 0
    assert "stoker_engine_preemptions_total[('engine', 'tgi')]" not in found
    assert not [one for one in found if "first_token" in one and "'tgi'" in one]
    rejected = "stoker_engine_requests_total[('engine', 'tgi'), ('outcome', 'rejected')]"
    assert found[rejected] == 2


def test_buckets_are_the_engines_own(told: Books) -> None:
    found = told.samples()
    name = "stoker_engine_first_token_seconds_bucket[('engine', 'vllm'), ('le', '0.25')]"
    own = 'vllm:time_to_first_token_seconds_bucket{engine="0",le="0.25",model_name="tiny"} '
    assert found[name] == float(SAMPLES["vllm"].split(own)[1].split("\n")[0])


def test_an_engine_that_does_not_run_tells_nothing(told: Books) -> None:
    told.books.take("vllm", None)
    told.books.take("vllm", None)
    assert "vllm" not in told.text()
    assert "sglang" in told.text()


@pytest.mark.parametrize(
    "garbled",
    [
        'vllm:cache_config_info{kv_cache_size_tokens="²"} 1\n',
        'vllm:request_success_total{finished_reason="stop} 1\n',
    ],
)
def test_an_engine_whose_text_is_garbled_is_absent_and_hides_no_other(
    told: Books, garbled: str
) -> None:
    told.books.take("vllm", SAMPLES["vllm"] + garbled)
    found = told.samples()
    assert found["stoker_engine_generated_tokens_total[('engine', 'sglang')]"] == 240
    assert not [one for one in found if "'vllm'" in one]
    told.books.take("vllm", SAMPLES["vllm"])
    assert [one for one in told.samples() if "'vllm'" in one]


def test_a_text_is_told_on_for_a_while_only(told: Books) -> None:
    told.now += AGE
    assert "vllm" in told.text()
    told.now += 1
    assert not told.samples()
    told.books.take("vllm", SAMPLES["vllm"])
    assert "vllm" in told.text()
