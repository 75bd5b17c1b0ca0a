"""From flat keys to one frozen value, and the exact sentence for everything that is wrong."""

import msgspec
import pytest

from agent.errors import SpecError
from agent.spec import HostSpec, digest, load, weights_path

IMAGE = "x@sha256:" + "a" * 64
GOOD = {"engine_image": IMAGE, "engine_model": "org/name", "engine_revision": "b" * 40}


def faults(**data: object) -> list[str]:
    with pytest.raises(SpecError) as caught:
        HostSpec.from_data("gpu-1", {**GOOD, **data})
    return str(caught.value).splitlines()


def test_round_trip() -> None:
    spec = HostSpec.from_data("gpu-1", {**GOOD, "engine_extra_args": ["--x"]})
    assert load(spec.dump()) == spec
    assert spec.engines["main"].extra_args == ("--x",)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("engine_gpu", 1, "engine_gpu: unknown key (did you mean engine_gpus?)"),
        ("engin_gpus", 1, "engin_gpus: unknown key (did you mean engine_gpus?)"),
        ("agent_xyz", 1, "agent_xyz: unknown key; every key is in group_data/all.py"),
        ("engine_port", 0, "engine_port = 0: expected a port, 1 to 65535"),
        (
            "engine_image",
            "x:latest",
            "engine_image = 'x:latest': expected an image pinned by digest, "
            "NAME@sha256:<64 hex digits>",
        ),
        (
            "engine_revision",
            "main",
            "engine_revision = 'main': expected a commit of 40 hex digits "
            "(a branch moves, so none is accepted)",
        ),
        ("engine_kind", "x", "engine_kind = 'x': expected one of 'tgi', 'vllm', 'sglang'"),
        (
            "engine_memory_fraction",
            1.5,
            "engine_memory_fraction = 1.5: expected a share, more than 0 and at most 1",
        ),
        (
            "engine_speculation_model",
            "org/draft",
            "engine_speculation_model = 'org/draft': expected ORGANISATION/NAME@COMMIT, the commit "
            "in 40 hex digits",
        ),
        (
            "engine_lora_adapters",
            {"sql": "org/sql@main"},
            "engine_lora_adapters = {'sql': 'org/sql@main'}: expected ORGANISATION/NAME@COMMIT, "
            "the commit in 40 hex digits",
        ),
        ("gateway_retry_after", "soon", "gateway_retry_after = 'soon': expected `int`, got `str`"),
        ("agent_tick", 0, "agent_tick = 0: expected `float` >= 0.1"),
        ("engines", [], 'engines = []: expected {"NAME": {"gpus": 2, …}, …}'),
        ("engines", {"a": {"gpu": 1}}, "engines['a'].gpu: unknown key (did you mean gpus?)"),
        ("engines", {"a": {"port": 0}}, "engines['a'].port = 0: expected a port, 1 to 65535"),
        (
            "engines",
            {"Chat": {}},
            "engines['Chat']: a name has 1 to 31 lower-case letters, digits and '-'",
        ),
        (
            "engine_environment",
            {"HF_TOKEN": "hf_x"},
            "engine main: environment['HF_TOKEN']: a secret must not stand in an environment "
            "(docker inspect shows it); engines run offline and need no token",
        ),
        ("engine_port", 9750, "port 9750: wanted by agent and engine main; give each its own"),
        (
            "engine_gpus",
            4,
            "engine_gpus: the engines want 4 GPUs together, but driver_gpu_count is 1",
        ),
        (
            "engine_max_input_tokens",
            8192,
            "engine main: max_input_tokens = 8192: must be less than max_total_tokens = 8192, "
            "which counts input and output",
        ),
    ],
)
def test_one_sentence(key: str, value: object, sentence: str) -> None:
    assert faults(**{key: value}) == [f"gpu-1: {sentence}"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("engine_revision", "b" * 40 + "\n"),
        ("engine_model", "org/name\n"),
        ("engine_image", IMAGE + "\n"),
        ("model_root", "/models\n"),
        ("engines", {"chat\n": {}}),
    ],
)
def test_a_last_newline_does_not_pass(key: str, value: object) -> None:
    assert len(faults(**{key: value})) == 1


@pytest.mark.parametrize(
    ("variable", "is_secret"),
    [
        ("HF_TOKEN", True),
        ("hf_token", True),
        ("OPENAI_API_KEY", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("DB_PASSWORD", True),
        ("TOKENIZERS_PARALLELISM", False),
        ("MAX_BATCH_TOTAL_TOKENS", False),
        ("NCCL_DEBUG", False),
    ],
)
def test_secrets_in_the_environment(variable: str, is_secret: bool) -> None:
    data = {**GOOD, "engine_environment": {variable: "x"}}
    if is_secret:
        with pytest.raises(SpecError, match="a secret must not stand in an environment"):
            HostSpec.from_data("gpu-1", data)
    else:
        assert HostSpec.from_data("gpu-1", data).engines["main"].environment == {variable: "x"}


def test_a_wrong_default_is_named_where_it_stands_and_once() -> None:
    found = faults(engine_shm_gib=0, engines={"a": {"port": 8080}, "b": {"port": 8081}})
    assert found == ["gpu-1: engine_shm_gib = 0: expected a whole number, 1 or more"]


def test_an_engine_without_a_port_of_its_own_clashes() -> None:
    found = faults(driver_gpu_count=2, engines={"a": {}, "b": {}})
    assert found == ["gpu-1: port 8080: wanted by engine a and engine b; give each its own"]


@pytest.mark.parametrize("value", [{}, "chat", None, {"a": 1}])
def test_engines_have_one_form(value: object) -> None:
    (found,) = faults(engines=value)
    assert found.startswith("gpu-1: engines")
    assert "expected" in found


@pytest.mark.parametrize("garbled", [b"{", b"{}", b'{"name": "x", "extra": 1}'])
def test_a_garbled_spec_is_refused(garbled: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        load(garbled)


def test_missing_key_is_named() -> None:
    with pytest.raises(SpecError, match="engine_image: is missing; it needs an image pinned"):
        HostSpec.from_data("gpu-1", {})


def test_all_faults_are_told_at_once() -> None:
    assert len(faults(engine_gpu=1, agent_tick=0, engine_kind="x")) == 3


def test_foreign_keys_are_left_alone() -> None:
    data = {**GOOD, "ssh_user": "root", "_sudo": True, "rack": 7}
    assert HostSpec.from_data("gpu-1", data) == HostSpec.from_data("gpu-1", GOOD)


def test_engines_override_the_defaults() -> None:
    data = {
        **GOOD,
        "driver_gpu_count": 3,
        "engine_gpus": 1,
        "engines": {"chat": {"gpus": 2}, "code": {"port": 8081, "model": "org/code"}},
    }
    engines = HostSpec.from_data("gpu-1", data).engines
    assert (engines["chat"].gpus, engines["code"].gpus) == (2, 1)
    assert engines["code"].model == "org/code"


def test_digest_changes_with_every_field() -> None:
    one = HostSpec.from_data("gpu-1", GOOD).engines["main"]
    two = HostSpec.from_data("gpu-1", {**GOOD, "engine_max_total_tokens": 8193}).engines["main"]
    assert digest(one) != digest(two)
    assert digest(one) == digest(HostSpec.from_data("gpu-2", GOOD).engines["main"])


def test_all_that_an_engine_needs_is_named_by_commit_and_once() -> None:
    draft, sql = f"org/draft@{'d' * 40}", f"org/sql@{'e' * 40}"
    data = {
        **GOOD,
        "engine_speculation_model": draft,
        "engine_lora_adapters": {"a": sql, "b": sql, "c": draft},
    }
    assert HostSpec.from_data("gpu-1", data).engines["main"].repositories == (
        ("org/name", "b" * 40),
        ("org/draft", "d" * 40),
        ("org/sql", "e" * 40),
    )


def test_weights_lie_by_commit() -> None:
    spec = HostSpec.from_data("gpu-1", GOOD)
    path = weights_path(spec.model, spec.engines["main"])
    assert path == "/var/lib/stoker/models/org--name/" + "b" * 40
