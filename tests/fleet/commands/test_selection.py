import pytest

from fleet.command import WrongUseError
from fleet.commands.selection import names

KNOWN = {"gpu-1": ("h100",), "gpu-2": ("h100",), "old-1": ("old",)}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ([], ["gpu-1", "gpu-2", "old-1"]),
        (["h100"], ["gpu-1", "gpu-2"]),
        (["old-1", "gpu-1"], ["gpu-1", "old-1"]),
        (["*-1"], ["gpu-1", "old-1"]),
    ],
)
def test_hosts_groups_and_patterns_in_inventory_order(wanted: list[str], found: list[str]) -> None:
    assert names(KNOWN, wanted, "prod.py") == found


def test_each_pattern_must_mean_somebody() -> None:
    with pytest.raises(WrongUseError, match=r"^gpu-3: no host and no group of prod\.py is called"):
        names(KNOWN, ["gpu-1", "gpu-3"], "prod.py")
