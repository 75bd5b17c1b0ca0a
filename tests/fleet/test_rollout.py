from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fleet.rollout import batches


def test_hosts_of_one_model_change_one_at_a_time_in_inventory_order() -> None:
    assert batches({"b": {"m"}, "a": {"m"}, "c": {"m"}}) == [["b"], ["a"], ["c"]]


def test_hosts_without_a_common_model_change_together() -> None:
    assert batches({"a": {"m"}, "b": {"n"}, "c": {"m", "n"}}) == [["a", "b"], ["c"]]


def test_no_hosts_no_batches() -> None:
    assert batches({}) == []


@given(st.lists(st.sets(st.sampled_from("klmn"), max_size=3), max_size=12))
def test_every_host_once_and_never_two_of_a_model(served: list[set[str]]) -> None:
    serves = {f"h{number}": models for number, models in enumerate(served)}
    found = batches(serves)
    assert sorted(host for batch in found for host in batch) == sorted(serves)
    assert all(found)
    for batch in found:
        models = [model for host in batch for model in serves[host]]
        assert len(models) == len(set(models))
    for model in "klmn":
        order = [host for batch in found for host in batch if model in serves[host]]
        numbers = [int(host[1:]) for host in order]
        assert all(before < after for before, after in pairwise(numbers))
