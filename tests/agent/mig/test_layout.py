"""What `driver_mig` says, what nvidia-smi shows, and whether the two are alike."""

import pytest

from agent.errors import SpecError
from agent.mig.layout import Card, Instance, cards, differs, faults, instances, split, wanted
from agent.spec import HostSpec
from tests.agent.node import DATA

# As NVIDIA's MIG User Guide prints them; the second row is of an older driver, narrower.
LISTED = """
+---------------------------------------------------------+
| GPU instances:                                          |
| GPU   Name               Profile  Instance   Placement  |
|                            ID       ID       Start:Size |
|=========================================================|
|   0  MIG 3g.40gb            9        2          0:4     |
+---------------------------------------------------------+
|   0  MIG 1g.10gb+me        20       13          6:1     |
+-------------------------------------------------------+
|  11  MIG 1g.5gb          19       13          6:1     |
+-------------------------------------------------------+
"""
COMPUTING = """
+--------------------------------------------------------------------+
| Compute instances:                                                 |
| GPU     GPU       Name             Profile   Instance   Placement  |
|       Instance                       ID        ID       Start:Size |
|         ID                                                         |
|====================================================================|
|   0      2       MIG 3g.40gb          2         0          0:3     |
+--------------------------------------------------------------------+
"""


def test_tables_are_read() -> None:
    assert instances(LISTED, COMPUTING) == (
        Instance(gpu=0, profile="3g.40gb", number=2, computes=True),
        Instance(gpu=0, profile="1g.10gb+me", number=13),
        Instance(gpu=11, profile="1g.5gb", number=13),
    )


def test_modes_are_read() -> None:
    text = "0, GPU-a, Enabled, Enabled\n1, GPU-b, Disabled, Enabled\n2, GPU-c, [N/A], [N/A]\n"
    assert list(cards(text)) == [
        Card(index=0, uuid="GPU-a", mode=True, pending=True),
        Card(index=1, uuid="GPU-b", mode=False, pending=True),
        Card(index=2, uuid="GPU-c", mode=None),
    ]


def test_an_index_goes_before_all() -> None:
    mig = {"all": ("7g.80gb",), "1": ("3g.40gb", "3g.40gb")}
    assert wanted(mig, range(3)) == {0: ("7g.80gb",), 1: ("3g.40gb", "3g.40gb"), 2: ("7g.80gb",)}
    assert split(mig, 3) == 3
    assert split({"0": ("3g.40gb",)}, 3) == 1


def _instances(*profiles: str, computes: bool = True) -> list[Instance]:
    return [Instance(gpu=0, profile=one, number=1, computes=computes) for one in profiles]


@pytest.mark.parametrize(
    ("there", "different"),
    [
        (_instances("1g.10gb", "3g.40gb"), False),
        (_instances("3g.40gb", "1g.10gb"), False),
        (_instances("3g.40gb"), True),
        (_instances("3g.40gb", "1g.10gb", "1g.10gb"), True),
        (_instances("3g.40gb", "1g.10gb", computes=False), True),
        ([], True),
    ],
)
def test_a_layout_is_a_bag_of_usable_instances(there: list[Instance], *, different: bool) -> None:
    assert differs(("3g.40gb", "1g.10gb"), there) is different


@pytest.mark.parametrize(
    ("mig", "said"),
    [
        ({"2": ("3g.40gb",)}, "driver_mig['2']: must be the index of one of the 2 GPUs"),
        ({"al": ("3g.40gb",)}, 'or "all"'),
        ({"0": ()}, "names no profile"),
        ({"0": ("half",)}, "'half' is no profile"),
    ],
)
def test_what_cannot_be_is_said_once(mig: dict[str, tuple[str, ...]], said: str) -> None:
    [fault] = faults(mig, 2)
    assert said in fault


@pytest.mark.parametrize("profile", ["3g.40gb", "1g.10gb+me", "1g.12gb+me.all", "7g.141gb"])
def test_names_of_nvidia_are_profiles(profile: str) -> None:
    assert list(faults({"all": (profile,)}, 1)) == []


def _spec(**data: object) -> HostSpec:
    return HostSpec.from_data("gpu-1", {**DATA, "driver_gpu_count": 2, **data})


def test_an_engine_takes_whole_gpus_only() -> None:
    half = {"0": ("3g.40gb", "3g.40gb")}
    assert _spec(driver_mig=half, engine_gpus=1).driver.mig == half
    with pytest.raises(SpecError, match=r"driver_mig splits 1 of the 2.*ask for 1"):
        _spec(driver_mig=half, engine_gpus=2)
    with pytest.raises(SpecError, match=r"driver_mig splits 2 of the 2"):
        _spec(driver_mig={"all": ("7g.80gb",)}, engine_gpus=1)
