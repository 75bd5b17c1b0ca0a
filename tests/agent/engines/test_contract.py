"""What every adapter must hold to, whatever its program."""

from pathlib import Path

import pytest

from agent.engines import ENGINES
from agent.engines.base import Container, Engine
from agent.reports import ExitClass
from agent.rules import SECRET_WORDS
from tests.agent.engines.examples import EXAMPLES, GPUS, WEIGHTS, engine

HERE = Path(__file__).parent


def render(name: str) -> Container:
    spec = EXAMPLES[name]
    return ENGINES[spec.kind].container(spec, WEIGHTS, GPUS[: spec.gpus])


def shown(container: Container) -> str:
    """The container as a text to compare: one argument or variable a line."""
    variables = [f"{name}={value}" for name, value in sorted(container.environment.items())]
    return "\n".join([*variables, "", *container.command]) + "\n"


@pytest.fixture(params=ENGINES)
def adapter(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


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
    assert [mount.source for mount in container.mounts] == [WEIGHTS]
    assert all(mount.read_only for mount in container.mounts)
    assert container.shm_bytes == spec.shm_gib << 30
    assert container.memory_bytes == (spec.memory_gib << 30 if spec.memory_gib else None)
    own = len(container.command) - len(spec.extra_args)
    assert container.command[own:] == spec.extra_args


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


def test_every_flag_that_it_sets_is_refused_in_extra_args(adapter: Engine) -> None:
    plain = adapter.container(engine(adapter.kind, dtype="float16"), WEIGHTS, GPUS)
    for flag in [part for part in plain.command if part.startswith("--")]:
        for form in (flag, f"{flag}=1"):
            faults = adapter.faults(engine(adapter.kind, extra_args=(form,)))
            assert [flag in fault and "set by Stoker" in fault for fault in faults] == [True]


def test_every_variable_that_it_sets_is_refused_in_environment(adapter: Engine) -> None:
    plain = adapter.container(engine(adapter.kind), WEIGHTS, GPUS)
    for variable in plain.environment:
        faults = adapter.faults(engine(adapter.kind, environment={variable: "0"}))
        assert [variable in fault for fault in faults] == [True]


def test_a_key_in_extra_args_is_refused_as_a_secret(adapter: Engine) -> None:
    [fault] = adapter.faults(engine(adapter.kind, extra_args=("--api-key", "sk-1")))
    assert "secret" in fault
    assert "sk-1" not in fault


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
