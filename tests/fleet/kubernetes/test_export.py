"""What is rendered: files as they are known to be good, and what they must hold to."""

import itertools
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.engines import ENGINES
from agent.errors import StokerError
from fleet.kubernetes import command, models, pod, text
from fleet.kubernetes.models import Exported
from fleet.kubernetes.scaler import QUEUES
from fleet.kubernetes.values import LEAVE, literal, quantity
from tests.fleet.kubernetes.samples import SAMPLES, SPECS, specs

GOLDEN = Path(__file__).parents[1] / "golden" / "kubernetes"
FULL: dict[str, object] = {
    "driver_gpu_count": 4,
    "engine_gpus": 4,
    "engine_memory_gib": 256,
    "engine_max_total_tokens": 32768,
    "engine_drain_deadline": 120,
    "model_token_file": "/secrets/hub",
    "scaling_target_queue": 2.5,
    "scaling_min": 2,
    "scaling_max": 6,
    "scaling_stabilisation": 1800,
    "scaling_up_percent": 0,
    "scaling_up_replicas": 1,
    "scaling_up_period": 600,
}


def one(hosts: int = 1, **data: object) -> Exported:
    found, faults = models.of(specs(hosts, **data))
    assert faults == []
    return found[0]


def spec(model: Exported, claim: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = pod.template(model, claim)["spec"]
    return made


def golden(name: str, content: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(content)
    assert content == (GOLDEN / name).read_text()


@pytest.mark.parametrize("kind", ENGINES)
def test_a_file_a_model(kind: str) -> None:
    files = command.rendered(specs(2, engine_kind=kind, **FULL), gib=300)
    golden(f"{kind}.yaml", files["chat.yaml"])


def test_a_volume_that_is_filled_and_no_gpu() -> None:
    files = command.rendered(specs(engine_gpus=0, driver_gpu_count=0), claim="filled")
    golden("filled.yaml", files["chat.yaml"])


def test_the_rules_of_the_adapter() -> None:
    golden("prometheus-adapter-values.yaml", text.of_adapter(set(ENGINES)))


def test_the_same_inventory_gives_the_same_files() -> None:
    made = specs(3, **FULL)
    assert command.rendered(made, gib=9) == command.rendered(dict(made), gib=9)


# -- what a pod must hold to -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ENGINES)
def test_a_stop_lets_requests_finish(kind: str) -> None:
    for engine in SPECS[kind]:
        model = msgspec.structs.replace(one(engine_kind=kind), engine=engine)
        made = spec(model)
        stop = ENGINES[kind].stop_deadline(engine)
        grace = made["terminationGracePeriodSeconds"]
        assert stop + LEAVE <= grace <= stop + LEAVE + 1
        assert made["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == LEAVE


@pytest.mark.parametrize("kind", ENGINES)
def test_the_container_is_that_of_the_runner(kind: str) -> None:
    for engine in SPECS[kind]:
        model = msgspec.structs.replace(one(engine_kind=kind), engine=engine)
        made, container = (
            spec(model),
            ENGINES[kind].container(engine, "/w/m/c", ["G"] * engine.gpus),
        )
        box = made["containers"][0]
        assert [word.replace("$$", "$") for word in box["args"]] == list(container.command)
        assert {one["name"]: one["value"].replace("$$", "$") for one in box["env"]} == (
            container.environment
        )
        assert box["image"] == container.image
        assert {one["mountPath"] for one in box["volumeMounts"]} == {
            *(mount.target for mount in container.mounts),
            *container.tmpfs,
            "/cache",
            "/dev/shm",
        }
        volumes = {one["name"] for one in made["volumes"]}
        assert {one["name"] for one in box["volumeMounts"]} == volumes
        gpus = box["resources"]["limits"].get("nvidia.com/gpu", "0")
        assert int(gpus) == engine.gpus


@pytest.mark.parametrize("kind", ENGINES)
def test_every_repository_is_fetched_at_its_commit_to_where_it_is_mounted(kind: str) -> None:
    for engine in SPECS[kind]:
        made = spec(msgspec.structs.replace(one(engine_kind=kind), engine=engine))
        fetched = {
            (step["command"][2], step["command"][4], step["command"][6])
            for step in made["initContainers"]
        }
        assert {(repository, commit) for repository, commit, _ in fetched} == set(
            engine.repositories
        )
        mounts = made["containers"][0]["volumeMounts"]
        subpaths = {mount["subPath"] for mount in mounts if mount["name"] == "weights"}
        assert {f"/weights/{path}" for path in subpaths} == {place for _, _, place in fetched}


def test_a_token_is_referred_to_and_never_written() -> None:
    made = spec(one(model_token_file="/secrets/hub"))
    token = made["initContainers"][0]["env"][-1]
    assert token["valueFrom"]["secretKeyRef"] == {
        "name": "stoker-hub",
        "key": "token",
        "optional": False,
    }
    assert all("valueFrom" not in variable for variable in made["containers"][0]["env"])
    assert (
        "/secrets/hub"
        not in command.rendered(specs(model_token_file="/secrets/hub"), gib=1)["chat.yaml"]
    )


def test_no_root_and_no_capability_unless_the_image_needs_it() -> None:
    for kind, uid in (("vllm", 2000), ("tgi", 0), ("sglang", 0)):
        made = spec(one(engine_kind=kind))
        assert made["securityContext"]["runAsUser"] == uid
        assert made["securityContext"]["runAsNonRoot"] is (uid != 0)
        for box in (*made["initContainers"], *made["containers"]):
            assert box["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert box["securityContext"]["allowPrivilegeEscalation"] is False
            assert box["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(("kind", "window"), [("tgi", 180), ("vllm", 30), ("sglang", 30)])
def test_liveness_is_as_patient_as_the_engine_needs(kind: str, window: int) -> None:
    box = spec(one(engine_kind=kind))["containers"][0]
    live, start = box["livenessProbe"], box["startupProbe"]
    assert live["failureThreshold"] * live["periodSeconds"] == window
    assert live["timeoutSeconds"] <= live["periodSeconds"]
    assert start["failureThreshold"] * start["periodSeconds"] == 1800


def test_what_kubernetes_would_fill_in_is_left_alone() -> None:
    made = spec(one(engine_extra_args=("--x", "$(HOME) $$ $a")))
    assert made["containers"][0]["args"][-1] == "$$(HOME) $$$$ $$a"
    assert literal("plain") == "plain"


@pytest.mark.parametrize(
    ("number", "text"),
    [(10.0, "10"), (2.5, "2500m"), (0.1, "100m"), (1000.0, "1000")],
)
def test_quantities(number: float, text: str) -> None:
    assert quantity(number) == text


@pytest.mark.parametrize("kind", ENGINES)
def test_the_queue_is_a_metric_that_the_engine_has(kind: str) -> None:
    assert QUEUES[kind] in SAMPLES[kind].read_text()


# -- which models ----------------------------------------------------------------------------------


def test_replicas_limits_and_an_inventory_without_a_limit() -> None:
    assert one(3).replicas == 3
    assert one(3).most == 3
    assert one(1, scaling_min=2).most == 2
    assert one(3, scaling_max=8).most == 8


def test_hosts_that_differ_are_refused() -> None:
    made = {**specs(), "gpu-9": specs(engine_shm_gib=8, engine_port=9999)["gpu-1"]}
    with pytest.raises(StokerError, match="gpu-1 and gpu-9 serve it with different shm_gib; "):
        command.rendered(made)


def test_weights_from_a_directory_need_a_claim() -> None:
    made = specs(model_source_dir="/mnt/models")
    with pytest.raises(StokerError, match="--weights-claim"):
        command.rendered(made)
    assert "initContainers" not in command.rendered(made, claim="filled")["chat.yaml"]


NAMES = (
    "chat", "Chat", "org/chat", "org-chat", "7b", "a" * 90, "a" * 91, "x.y", "x-y", "-", "org/--",
    "meta-llama/Llama-3.3-70B-Instruct",
)  # fmt: skip


def test_names_are_labels_short_and_apart() -> None:
    found = [models.name(one) for one in NAMES]
    assert models.name("meta-llama/Llama-3.3-70B-Instruct") == "llama-3-3-70b-instruct-99668f"
    assert found[0] == "chat"
    for name in found:
        assert models.PLAIN.fullmatch(name), name
        assert len(name) <= models.LONGEST
    for before, after in itertools.combinations(found, 2):
        assert before != after


def test_files_are_written_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.write(tmp_path / "new", {"a.yaml": "a: 1\n"})
    assert [one.name for one in (tmp_path / "new").iterdir()] == ["a.yaml"]
    assert capsys.readouterr().out == f"{tmp_path}/new/a.yaml\n"
    (tmp_path / "file").write_text("")
    with pytest.raises(StokerError, match="cannot be written to"):
        command.write(tmp_path / "file", {})
