"""Which kernel settings a host gets, given what it has and what its operator wants."""

import pytest

from agent.errors import SpecError
from agent.kernel_settings import NUMA, PORTS, RESERVED, Wanted, wanted
from tests.fleet.samples import spec

DEFAULTS = {
    "vm.swappiness": "60",
    "vm.max_map_count": "65530",
    "fs.file-max": "9223372036854775807",
    "net.core.somaxconn": "4096",
    PORTS: "32768 60999",
    RESERVED: "",
    NUMA: "1",
}


def host(
    own: dict[str, str | None] | None = None,
    *,
    taken: frozenset[int] = frozenset({8080}),
    sockets: int = 1,
    **found: str,
) -> Wanted:
    values = {**DEFAULTS, **{key.replace("__", "."): value for key, value in found.items()}}
    return wanted(own or {}, taken, values, sockets)


def test_a_limit_that_is_higher_already_stays_and_is_not_in_the_file() -> None:
    made = host()
    assert made.now["fs.file-max"] == DEFAULTS["fs.file-max"]
    assert "fs.file-max" not in made.kept
    assert made.now["vm.max_map_count"] == made.kept["vm.max_map_count"] == "1048576"


def test_what_is_no_limit_is_lowered() -> None:
    assert host().now["vm.swappiness"] == "1"


def test_the_file_is_the_same_before_and_after_the_kernel_was_set() -> None:
    before = host()
    assert wanted({}, frozenset({8080}), {**DEFAULTS, **before.now}, 1) == before


def test_the_range_of_ports_is_widened_and_never_narrowed() -> None:
    assert host().now[PORTS] == "16384 60999"
    assert host(net__ipv4__ip_local_port_range="1024 65535").now[PORTS] == "1024 65535"


def test_ports_of_ours_are_kept_out_of_the_range_beside_those_of_others() -> None:
    assert RESERVED not in host().now
    made = host(taken=frozenset({8080, 30000}), net__ipv4__ip_local_reserved_ports="20000-20001")
    assert made.now[RESERVED] == "20000-20001,30000"


def test_ports_are_written_as_the_kernel_shows_them() -> None:
    taken = frozenset({20001, 20000, 20002, 30000})
    made = host(taken=taken)
    assert made.now[RESERVED] == "20000-20002,30000"
    assert host(taken=taken, net__ipv4__ip_local_reserved_ports=made.now[RESERVED]) == made


def test_numa_balancing_matters_with_two_sockets_only() -> None:
    assert NUMA not in host().now
    assert host(sockets=2).now[NUMA] == "0"


def test_the_operator_has_the_last_word() -> None:
    made = host({"vm.swappiness": None, "vm.max_map_count": "70000", "net.core.rmem_max": "1"})
    assert "vm.swappiness" not in made.now
    assert made.now["vm.max_map_count"] == made.kept["vm.max_map_count"] == "70000"
    assert made.kept["net.core.rmem_max"] == "1"


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"net.ipv4.ip_forward": "0"}, "containers would have no network"),
        ({"vm.overcommit_memory": "2"}, "CUDA reserves"),
        ({"vm.swapiness": None}, "did you mean 'vm.swappiness'?"),
        ({"swappiness": "1"}, "is no kernel setting"),
        ({"vm.swappiness": "1\nx"}, "must be one line"),
        ({PORTS: "60999 16384"}, "must be two ports"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_key(own: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError, match="base_sysctl") as refused:
        spec(base_sysctl=own)
    assert said in str(refused.value)


def test_what_can_be_meant_is_taken() -> None:
    spec(base_sysctl={"vm.overcommit_memory": "1", "vm.swappiness": None, PORTS: "20000 30000"})
