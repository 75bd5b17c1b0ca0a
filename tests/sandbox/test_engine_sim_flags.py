"""The launcher's command line: flags, environment, defaults, and what it refuses."""

import json
from pathlib import Path

import pytest

from tests.sandbox.engine_sim.dialects.tgi.arguments import plan
from tests.sandbox.engine_sim.dialects.tgi.flag_table import CHOICES, load_flags
from tests.sandbox.engine_sim.dialects.tgi.flags import UsageError, parse
from tests.sandbox.engine_sim.dialects.tgi.problems import LauncherError
from tests.sandbox.engine_sim.gpus import visible_gpus
from tests.sandbox.engine_sim.settings import SettingsError, parse_settings


def test_the_table_holds_every_flag_and_the_choices_of_every_enumeration() -> None:
    flags = load_flags()

    assert len(flags) == 56  # the 54 of the reference, --help and --version
    assert {flag.name for flag in flags if flag.kind == "enum"} <= set(CHOICES)


def test_command_line_wins_over_environment_and_environment_over_default() -> None:
    env = {"PORT": "80", "MAX_BEST_OF": "3"}

    flags = parse(["--port", "8080", "--json-output"], env)

    assert flags.count("port") == 8080
    assert flags.count("max_best_of") == 3
    assert flags.count("max_concurrent_requests") == 128
    assert flags.text("revision") is None
    assert flags.on("json_output")
    assert not flags.on("trust_remote_code")


def test_equals_sign_and_short_forms_are_read() -> None:
    flags = parse(["--model-id=/models/x", "-g", "30"], {})

    assert flags.text("model_id") == "/models/x"
    assert flags.count("graceful_termination_timeout") == 30


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--disable-flash-attention"], "unexpected argument '--disable-flash-attention' found"),
        (["--max-total-token", "1"], "a similar argument exists: '--max-total-tokens'"),
        (["--quantize", "int8"], "possible values: awq"),
        (["--sharded", "yes"], "possible values: true, false"),
        (["--port", "70000"], "invalid value '70000' for '--port <PORT>'"),
        (["--num-shard", "-1"], "invalid value '-1' for '--num-shard <NUM_SHARD>'"),
        (["--waiting-served-ratio", "x"], "invalid float literal"),
        (["--port"], "a value is required for '--port <PORT>'"),
        (["--port", "1", "--port", "2"], "cannot be used multiple times"),
        (["model"], "unexpected argument 'model' found"),
    ],
)
def test_a_bad_command_line_is_a_usage_error(argv: list[str], words: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(argv, {})

    assert words in str(error.value)
    assert str(error.value).startswith("error: ")


def test_a_bad_environment_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="invalid value 'many' for '--num-shard <NUM_SHARD>'"):
        parse([], {"NUM_SHARD": "many"})


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (
            ["--max-input-tokens", "10", "--max-total-tokens", "10"],
            "must be < `max_total_tokens`",
        ),
        (["--max-input-tokens", "1", "--max-input-length", "1"], "Both `max_input_tokens`"),
        (
            ["--max-total-tokens", "9", "--max-batch-total-tokens", "8"],
            "must be <= `max_batch_total_tokens`",
        ),
        (["--validation-workers", "0"], "`validation_workers` must be > 0"),
        (["--sharded", "true", "--num-shard", "1"], "`sharded` is true but `num_shard` <= 1"),
        (["--sharded", "true"], "only found 0 CUDA devices"),
        (["--num-shard", "0"], "`num_shard` cannot be < 1"),
        (["--num-shard", "2", "--quantize", "exl2"], "not supported with `exl2`"),
        (["--dtype", "float16", "--quantize", "fp8"], "Only one of `dtype` or `quantize`"),
        (["--ngrok"], "`ngrok-authtoken` must be set"),
    ],
)
def test_contradicting_flags_are_refused(argv: list[str], words: str) -> None:
    with pytest.raises(LauncherError) as error:
        plan(parse(argv, {}), {})

    assert words in str(error.value)


def test_an_unset_shard_count_is_the_length_of_the_device_list() -> None:
    flags = parse([], {})

    assert plan(flags, {"NVIDIA_VISIBLE_DEVICES": "GPU-a,GPU-b"}).num_shard == 2
    assert plan(flags, {}).num_shard == 1


@pytest.mark.parametrize(
    ("env", "devices", "count"),
    [
        ({}, ["null"], 0),
        ({"NVIDIA_VISIBLE_DEVICES": "void"}, ["nvidia0", "nvidia3", "nvidiactl"], 2),
        ({"NVIDIA_VISIBLE_DEVICES": "GPU-a"}, ["null"], 1),
        ({"CUDA_VISIBLE_DEVICES": "1"}, ["nvidia0", "nvidia1"], 1),
        ({"CUDA_VISIBLE_DEVICES": ""}, ["nvidia0"], 0),
    ],
)
def test_gpus_are_counted_as_a_container_sees_them(
    env: dict[str, str], devices: list[str], count: int
) -> None:
    assert visible_gpus(env, devices) == count


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"load_second": 1}, "unknown key load_second"),
        ({"load_seconds": "1"}, "load_seconds must be of type float"),
        ({"start": "burn"}, "start is 'burn'; one of ok, exit"),
        ({"tokens_per_second": 0}, "tokens_per_second must be greater than 0"),
        ([], "expected a JSON object"),
    ],
)
def test_settings_name_what_is_wrong(content: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        parse_settings(json.dumps(content), str(Path("sim-faults.json")))
