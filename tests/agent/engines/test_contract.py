"""What every adapter must hold to, whatever its program."""

import re
from pathlib import Path

import msgspec
import pytest

from agent.engines import ENGINES
from agent.engines.base import Container, Engine
from agent.reports import ExitClass
from agent.rules import SECRET_WORDS
from agent.runner.rendering import settings
from tests.agent.engines.examples import EXAMPLES, GPUS, ROOT, WEIGHTS, engine, gpus

HERE = Path(__file__).parent


def render(name: str) -> Container:
    spec = EXAMPLES[name]
    return ENGINES[spec.kind].container(spec, WEIGHTS, gpus(spec))


def shown(container: Container) -> str:
    """The container as a text to compare: one argument or variable a line."""
    variables = [f"{name}={value}" for name, value in sorted(container.environment.items())]
    return "\n".join([*variables, "", *container.command]) + "\n"


@pytest.fixture(params=ENGINES)
def adapter(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


@pytest.mark.parametrize("kind", ENGINES)
def test_twelve_specs_of_each_engine(kind: str) -> None:
    assert len([spec for spec in EXAMPLES.values() if spec.kind == kind]) == 12


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in (HERE / "golden").iterdir()} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_command_and_environment_are_the_golden_ones(name: str) -> None:
    assert shown(render(name)) == (HERE / "golden" / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_have_no_faults(name: str) -> None:
    assert ENGINES[EXAMPLES[name].kind].faults(EXAMPLES[name]) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_container_keeps_the_promises_of_the_design(name: str) -> None:
    container, spec = render(name), EXAMPLES[name]
    assert container == render(name)
    assert container.image == spec.image
    assert container.published == spec.port
    assert container.environment["HF_HUB_OFFLINE"] == "1"
    assert container.mounts[0].source == WEIGHTS
    assert all(mount.source.startswith(f"{ROOT}/") for mount in container.mounts)
    assert all(mount.read_only for mount in container.mounts)
    assert container.shm_bytes == spec.shm_gib << 30
    assert container.memory_bytes == (spec.memory_gib << 30 if spec.memory_gib else None)
    own = len(container.command) - len(spec.extra_args)
    assert container.command[own:] == spec.extra_args


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_runs_under_an_init_alone_in_its_memory_and_on_loopback(name: str) -> None:
    rendered = settings(render(name), "main", "0123", gpus(EXAMPLES[name]), "/kept")
    assert rendered["init"] is True
    assert rendered["ipc_mode"] == "private"
    assert rendered["shm_size"] == EXAMPLES[name].shm_gib << 30
    assert [address for address, _ in rendered["ports"].values()] == ["127.0.0.1"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_other_model_is_mounted_at_its_commit_where_the_command_says(name: str) -> None:
    container, spec = render(name), EXAMPLES[name]
    paths = set(re.findall(r"/(?:draft|lora/\w+)", " ".join(container.command)))
    assert {mount.target for mount in container.mounts[1:]} == paths
    folders = {mount.source.removeprefix(f"{ROOT}/") for mount in container.mounts}
    assert folders == {f"{repo.replace('/', '--')}/{at}" for repo, at in spec.repositories}


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_secret_has_a_place_in_the_container(name: str) -> None:
    container = render(name)
    assert not [
        variable
        for variable in container.environment
        if any(word in variable.upper() for word in SECRET_WORDS)
    ]
    assert not [flag for flag in container.command if "key" in flag or "hf-token" in flag]


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_flag_is_given_twice(name: str) -> None:
    flags = [part for part in render(name).command if part.startswith("-")]
    assert len(flags) == len(set(flags))


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_flag_that_it_sets_is_refused_in_extra_args(name: str) -> None:
    spec = EXAMPLES[name]
    own = render(name).command[: -len(spec.extra_args) or None]
    for flag in [part for part in own if part.startswith("--")]:
        for form in (flag, f"{flag}=1"):
            twice = msgspec.structs.replace(spec, extra_args=(form,))
            faults = ENGINES[spec.kind].faults(twice)
            assert [flag in fault and "set by Stoker" in fault for fault in faults] == [True]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_variable_that_it_sets_is_refused_in_environment(name: str) -> None:
    spec = EXAMPLES[name]
    for variable in render(name).environment.keys() - spec.environment.keys():
        if not variable.startswith("VLLM_CPU_"):  # those are defaults
            faults = ENGINES[spec.kind].faults(engine(spec.kind, environment={variable: "0"}))
            assert [variable in fault for fault in faults] == [True]


def test_a_key_in_extra_args_is_refused_as_a_secret(adapter: Engine) -> None:
    [fault] = adapter.faults(engine(adapter.kind, extra_args=("--api-key", "sk-1")))
    assert "secret" in fault
    assert "sk-1" not in fault


def test_on_fewer_gpus_it_splits_over_those(adapter: Engine) -> None:
    shrunk = adapter.container(engine(adapter.kind, gpus=2, shrink=True), WEIGHTS, GPUS[:1])
    whole = adapter.container(engine(adapter.kind, gpus=1), WEIGHTS, GPUS[:1])
    assert shrunk.command == whole.command


def test_reads_load_and_progress_of_a_captured_scrape(adapter: Engine) -> None:
    metrics = (HERE / "samples" / f"{adapter.kind}.txt").read_text()
    load = adapter.load(metrics)
    assert load.running is not None
    assert load.waiting is not None
    assert load.in_flight == load.running + load.waiting
    assert (adapter.progress(metrics) or 0) > 0


def test_does_not_guess_from_a_foreign_scrape(adapter: Engine) -> None:
    metrics = "# TYPE python_info gauge\npython_info 1\n"
    assert adapter.load(metrics).in_flight is None
    assert adapter.progress(metrics) is None


@pytest.mark.parametrize("code", [0, 1, 2, 101, 137, 139, 143])
def test_an_ending_that_nobody_asked_for_is_never_called_asked(adapter: Engine, code: int) -> None:
    ending = adapter.classify(code, ())
    assert ending.kind is not ExitClass.ASKED
    assert ending.reason.isidentifier()
    assert ending.message


def test_a_refused_command_line_is_not_retried(adapter: Engine) -> None:
    assert adapter.classify(2, ()).kind is ExitClass.CONFIG


def test_stop_deadline_leaves_room_after_the_drain(adapter: Engine) -> None:
    short, long = engine(adapter.kind, drain_deadline=10.0), engine(adapter.kind)
    assert adapter.stop_deadline(short) > short.drain_deadline
    assert adapter.stop_deadline(long) > adapter.stop_deadline(short)


def test_chat_is_one_token(adapter: Engine) -> None:
    chat = adapter.chat(engine(adapter.kind))
    assert chat.path == "/v1/chat/completions"
    assert chat.body["max_tokens"] == 1
    assert chat.body["messages"]
