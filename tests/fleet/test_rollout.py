from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.spec import RolloutSpec
from fleet.rollout import at_once, batches, faults
from tests.fleet.samples import spec


def test_hosts_of_one_model_change_one_at_a_time_in_inventory_order() -> None:
    assert batches({"b": {"m"}, "a": {"m"}, "c": {"m"}}, "bac") == [["b"], ["a"], ["c"]]


def test_hosts_without_a_common_model_change_together() -> None:
    assert batches({"a": {"m"}, "b": {"n"}, "c": {"m", "n"}}, "abc") == [["a", "b"], ["c"]]


def test_hosts_that_lose_no_traffic_go_first_and_together() -> None:
    serves = {"a": {"m"}, "b": {"m"}, "c": {"m"}, "d": {"m"}}
    assert batches(serves, "bd") == [["a", "c"], ["b"], ["d"]]


def test_as_many_of_one_model_as_the_operator_lets() -> None:
    assert batches({"a": {"m"}, "b": {"m"}, "c": {"m"}}, "abc", 2) == [["a", "b"], ["c"]]


def test_no_hosts_no_batches() -> None:
    assert batches({}, "") == []


def test_a_swap_takes_all_of_a_model_at_once() -> None:
    assert at_once(RolloutSpec(strategy="swap"), 5) == 5
    assert at_once(RolloutSpec(batch=2), 5) == 2


def test_rolling_is_refused_where_nobody_else_serves_the_model() -> None:
    alone, other = spec(rollout_strategy="rolling"), spec(engine_model="org/other")
    assert list(faults({"gpu-1": alone, "gpu-2": spec()})) == []
    assert list(faults({"gpu-1": alone, "gpu-2": other})) == [
        "gpu-1: rollout_strategy = 'rolling': no other host of the inventory serves org/model; "
        "with None it is drained and swapped, or give it a second host"
    ]
    assert list(faults({"gpu-1": spec(rollout_strategy="swap")})) == []


@given(
    st.lists(st.sets(st.sampled_from("klmn"), max_size=3), max_size=12),
    st.sets(st.integers(0, 11)),
    st.integers(1, 3),
)
def test_every_host_once_and_never_too_many_of_a_model(
    served: list[set[str]], moved: set[int], size: int
) -> None:
    serves = {f"h{number}": models for number, models in enumerate(served)}
    disturbed = {f"h{number}" for number in moved} & set(serves)
    found = batches(serves, disturbed, size)
    assert sorted(host for batch in found for host in batch) == sorted(serves)
    assert all(found)
    for batch in found:
        for model in "klmn":
            serving = [h for h in batch if h in disturbed and model in serves[h]]
            assert len(serving) <= size
        assert not disturbed.intersection(batch) or disturbed.issuperset(batch)
    for model in "klmn":
        order = [h for b in found for h in b if h in disturbed and model in serves[h]]
        numbers = [int(host[1:]) for host in order]
        assert all(before < after for before, after in pairwise(numbers))
