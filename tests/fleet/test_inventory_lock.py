"""One run at a time over an inventory: also over inventories that only share a host."""

import os
from pathlib import Path

from msgspec.structs import replace

from fleet import holder, inventory_lock
from fleet.inventory_lock import Held

A = holder.me("a")
B = holder.me("b")


def test_two_runs_without_a_common_host_in_their_limits_do_not_meet(tmp_path: Path) -> None:
    hosts = {"gpu-1 10.0.0.1:22", "gpu-2 10.0.0.2:22"}
    assert inventory_lock.take(hosts, A, tmp_path) == ()
    [other] = inventory_lock.take({"gpu-2 10.0.0.2:22", "gpu-3 10.0.0.3:22"}, B, tmp_path)
    assert (other.reason, other.pid) == ("a", os.getpid())
    assert inventory_lock.take({"gpu-2 10.9.9.9:22"}, B, tmp_path) == ()  # another fleet
    inventory_lock.leave(A, tmp_path)
    assert inventory_lock.holders(hosts, tmp_path) == ()


def test_a_run_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    killed = replace(A, pid=2**22 + 1)
    assert inventory_lock.take({"x"}, killed, tmp_path) == ()
    assert inventory_lock.take({"x"}, B, tmp_path) == ()


def test_one_of_another_machine_has_to_be_heard_of() -> None:
    held = Held(holder=replace(A, machine="other", expires=100.0), hosts=frozenset({"x"}))
    assert held.alive(99)
    assert not held.alive(101)


def test_what_was_taken_away_is_not_beaten_back(tmp_path: Path) -> None:
    inventory_lock.take({"x"}, A, tmp_path)
    inventory_lock.beat(A, tmp_path)
    assert [one.reason for one in inventory_lock.free({"x"}, tmp_path)] == ["a"]
    inventory_lock.beat(A, tmp_path)
    assert inventory_lock.take({"x"}, B, tmp_path) == ()


def test_what_a_crash_has_cut_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"holder": {')
    assert inventory_lock.take({"x"}, A, tmp_path) == ()
