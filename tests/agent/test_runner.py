"""One life of an engine, against a dockerd in memory."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent import reports
from agent.errors import SourceError
from agent.gpus import Gpu
from agent.outs import Placement
from agent.paths import Paths
from agent.reports import Exit, ExitClass, Started
from agent.runner.course import Asked, Ended
from agent.runner.dockerd import State
from agent.runner.prepare import DOCKER_PATIENCE, RELEASE_PATIENCE
from agent.runner.run import REPORTED, Run, World
from agent.spec import EngineSpec, HostSpec, digest
from tests.agent.docker_fake import FakeDockerd, FakeInbox, lost, refused
from tests.agent.engines.examples import engine
from tests.agent.host_specs import host, put_weights

CRASHED = Ended(State(running=False, code=1))
GPUS = tuple(Gpu(uuid=f"GPU-{n}", bus=f"0000:0{n}:00.0") for n in range(4))


class Stage:
    """A runner of engine `main` and all that is around it."""

    def __init__(self, directory: Path, **changes: object) -> None:
        self.spec: HostSpec = host(
            directory / "models",
            {"main": engine("vllm", **changes), "other": engine("tgi", port=8081)},
        )
        put_weights(self.spec, "main")
        self.paths = Paths(etc=directory, state=directory / "state", run=directory / "run")
        self.dockerd = FakeDockerd()
        self.dockerd.images.add(self.engine.image)
        self.inbox = FakeInbox(CRASHED)
        self.said: list[str] = []
        self.log: tuple[str, ...] = ()
        self.gpus: Callable[[], tuple[Gpu, ...]] = lambda: GPUS
        self.placement = Placement()
        self.started: Started | None = None

    @property
    def engine(self) -> EngineSpec:
        return self.spec.engines["main"]

    def live(self) -> Exit:
        world = World(
            paths=self.paths,
            dockerd=self.dockerd,
            gpus=self.gpus,
            outs=lambda: self.placement,
            inbox=self.inbox,
            say=self.said.append,
            follow=self._follow,
            cache=lambda image, user: self.paths.caches("main") / f"{image[-3:]}-{user}",
            wall=lambda: 5000.0,
        )
        report = Run("main", self.spec, world).live()
        assert reports.read(self.paths.exit("main"), Exit) == report
        assert not self.paths.started("main").exists()
        return report

    def _follow(self, container: str, line: Callable[[str], None]) -> Callable[[], None]:
        self.started = reports.read(self.paths.started("main"), Started)
        assert self.started
        assert self.started.container == container
        for text in self.log:
            line(text)
        return lambda: None

    def ended_after(self, signal: str, code: int) -> None:
        """Let the engine end when it gets `signal`."""

        def react(sent: str) -> None:
            if sent == signal:
                self.inbox.events.append(Ended(State(running=False, code=code)))

        self.dockerd.on_signal = react


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_says_what_it_started_and_how_it_ended(stage: Stage) -> None:
    stage.log = (*(f"line {n}" for n in range(200)), "torch.OutOfMemoryError")
    report = stage.live()
    assert stage.started == Started(
        engine="main",
        digest=digest(stage.engine),
        container="c0ffee",
        gpus=("GPU-0", "GPU-1"),
        started=5000.0,
        pid=4711,
    )
    assert (report.kind, report.reason, report.code) == (ExitClass.MEMORY, "GpuOutOfMemory", 1)
    assert report.digest == digest(stage.engine)
    assert len(report.lines) == REPORTED
    assert report.lines[-1] == "torch.OutOfMemoryError"
    assert stage.said[-1] == "torch.OutOfMemoryError"


def test_the_cause_may_stand_above_the_reported_lines(stage: Stage) -> None:
    stage.log = ("RuntimeError: NCCL error: x", *(f"traceback {n}" for n in range(REPORTED + 50)))
    assert stage.live().kind is ExitClass.GPU


def test_leaves_no_container_behind(stage: Stage) -> None:
    stage.live()
    assert stage.dockerd.calls[-1] == "remove stoker-main"
    assert not stage.dockerd.old


def test_exit_code_zero_that_nobody_asked_for_is_a_crash(stage: Stage) -> None:
    stage.inbox.events = [Ended(State(running=False, code=0))]
    report = stage.live()
    assert (report.kind, report.reason) == (ExitClass.CRASH, "EngineDied")


def test_host_memory_and_a_strangers_hand_are_told_apart(stage: Stage) -> None:
    stage.inbox.events = [Ended(State(running=False, code=137, oom=True))]
    assert stage.live().reason == "HostMemory"
    stage.inbox.events = [Ended(None)]
    assert stage.live().reason == "Removed"


def test_a_request_becomes_sigterm_and_a_report_of_kind_asked(stage: Stage) -> None:
    stage.inbox.events = [Asked()]
    stage.ended_after("SIGTERM", 0)
    report = stage.live()
    assert (report.kind, report.reason) == (ExitClass.ASKED, "Asked")
    assert "signal c0ffee SIGKILL" not in stage.dockerd.calls


def test_an_engine_that_does_not_stop_is_killed_at_its_deadline(stage: Stage) -> None:
    stage.inbox.events = [Asked()]
    stage.ended_after("SIGKILL", 137)
    began = stage.inbox.now()
    report = stage.live()
    assert (report.kind, report.reason) == (ExitClass.ASKED, "Killed")
    assert stage.inbox.now() - began == stage.engine.drain_deadline + 20


def test_a_process_that_survives_sigkill_does_not_hold_the_runner(stage: Stage) -> None:
    stage.inbox.events = [Asked()]
    report = stage.live()
    assert (report.kind, report.reason) == (ExitClass.ASKED, "Abandoned")


def test_sigterm_is_delivered_when_dockerd_comes_back(stage: Stage) -> None:
    stage.inbox.events = [Asked()]
    stage.dockerd.trouble["signal"] = [lost(), lost()]
    stage.ended_after("SIGTERM", 0)
    assert stage.live().reason == "Asked"
    assert stage.dockerd.calls.count("signal c0ffee SIGTERM") == 3


def test_a_former_container_goes_first(stage: Stage) -> None:
    stage.dockerd.old.add("stoker-main")
    stage.live()
    calls = stage.dockerd.calls
    assert calls.index("remove stoker-main") < calls.index("create")


def test_waits_until_the_former_run_has_left_the_gpus(stage: Stage) -> None:
    stage.dockerd.old.add("stoker-main")
    stage.dockerd.pids = frozenset({41, 42})
    busy = (Gpu(uuid="GPU-0", bus="0000:00:00.0", processes=(42,)), *GPUS[1:])
    answers = [busy, busy, GPUS]
    stage.gpus = lambda: answers.pop(0)
    assert stage.live().reason == "Crashed"
    assert not answers


def test_a_former_process_that_never_leaves_is_a_gpu_fault(stage: Stage) -> None:
    stage.dockerd.old.add("stoker-main")
    stage.dockerd.pids = frozenset({42})
    stage.gpus = lambda: (Gpu(uuid="GPU-0", bus="0000:00:00.0", processes=(42, 7)), *GPUS[1:])
    began = stage.inbox.now()
    report = stage.live()
    assert (report.kind, report.reason) == (ExitClass.GPU, "GpuStillHeld")
    assert "process 42 " in report.message
    assert stage.inbox.now() - began == RELEASE_PATIENCE
    assert stage.dockerd.created is None


def test_takes_only_gpus_that_no_other_engine_holds(stage: Stage) -> None:
    stage.dockerd.held["other"] = ("GPU-1", "GPU-0")
    stage.live()
    assert stage.started
    assert stage.started.gpus == ("GPU-2", "GPU-3")


def test_too_few_gpus_is_said_with_both_numbers(stage: Stage) -> None:
    stage.gpus = lambda: GPUS[:1]
    report = stage.live()
    assert (report.kind, report.reason) == (ExitClass.GPU, "TooFewGpus")
    assert "wants 2" in report.message
    assert "only 1 of the 1" in report.message


def test_a_driver_that_hangs_does_not_hang_the_runner(stage: Stage) -> None:
    def hang() -> tuple[Gpu, ...]:
        raise SourceError("NVML does not answer within 20 s: the driver hangs")

    stage.gpus = hang
    report = stage.live()
    assert (report.kind, report.reason) == (ExitClass.GPU, "DriverSilent")


def test_an_engine_without_gpus_asks_no_driver(tmp_path: Path) -> None:
    stage = Stage(tmp_path, gpus=0)
    stage.gpus = lambda: pytest.fail("NVML was asked")
    stage.live()
    assert stage.dockerd.created
    assert stage.dockerd.created["device_requests"] == []


def test_pulls_an_image_only_when_it_is_not_there(stage: Stage) -> None:
    stage.live()
    assert not [call for call in stage.dockerd.calls if call.startswith("pull")]
    stage.dockerd.images.clear()
    stage.inbox.events = [CRASHED]
    stage.live()
    assert f"pull {stage.engine.image}" in stage.dockerd.calls


def test_incomplete_weights_start_nothing(stage: Stage) -> None:
    directory = Path(stage.spec.model.root) / "stoker--tiny-llama" / stage.engine.revision
    (directory / "model.safetensors").write_bytes(b"short")
    report = stage.live()
    assert (report.kind, report.reason) == (ExitClass.CONFIG, "WeightsMissing")
    assert "model.safetensors" in report.message
    assert stage.dockerd.created is None


@pytest.mark.parametrize("method", ["create", "start"])
def test_a_docker_without_cdi_is_a_clear_sentence(stage: Stage, method: str) -> None:
    stage.dockerd.trouble[method] = [refused('could not select device driver "cdi"')]
    report = stage.live()
    assert (report.kind, report.reason) == (ExitClass.CONFIG, "NoCdi")


def test_waits_for_a_dockerd_that_is_starting(stage: Stage) -> None:
    stage.dockerd.trouble["holdings"] = [lost(), lost(), lost()]
    assert stage.live().reason == "Crashed"


def test_does_not_wait_for_dockerd_for_ever(stage: Stage) -> None:
    stage.dockerd.trouble["holdings"] = [lost() for _ in range(1000)]
    began = stage.inbox.now()
    report = stage.live()
    assert report.reason == "DockerLost"
    assert stage.inbox.now() - began == DOCKER_PATIENCE


def test_a_request_during_the_preparation_starts_nothing(stage: Stage) -> None:
    stage.dockerd.images.clear()
    stage.inbox.asked = True
    report = stage.live()
    assert report.kind is ExitClass.ASKED
    assert stage.dockerd.created is None


def test_a_bug_of_ours_leaves_no_engine_without_a_runner(stage: Stage) -> None:
    stage.inbox.events = []  # the fake refuses to wait for ever
    with pytest.raises(AssertionError, match="wait for ever"):
        stage.live()
    assert stage.dockerd.calls[-1] == "remove stoker-main"
    assert not stage.paths.started("main").exists()
