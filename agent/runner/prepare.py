"""Everything before the engine runs: image, weights, nothing left of a former run, GPUs.

Raises `CannotStartError` with the ending to report, or `StopAskedError` when somebody asks to stop.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from agent import manifest, shrink
from agent.engine_spec import folder
from agent.engines import ENGINES
from agent.engines.base import Ending
from agent.errors import SourceError, SpecError, StokerError
from agent.gpus import Gpu, assign
from agent.outs import Placement
from agent.planner.checkpoint import Checkpoint
from agent.reports import ExitClass
from agent.runner import network
from agent.runner.dockerd import Dockerd, DockerLostError, DockerRefusedError
from agent.runner.inbox import Inbox
from agent.runner.refusals import CannotStartError, meaning
from agent.runner.rendering import container_name, settings
from agent.spec import HostSpec, digest, weights_path

DOCKER_PATIENCE = 120.0  # seconds for dockerd to answer, e.g. while it starts beside us
RELEASE_PATIENCE = 60.0  # seconds for the driver to let go of the processes of a former run
PULL_LINES = 5.0  # seconds between two lines of progress


class StopAskedError(StokerError):
    """Somebody asked to stop before the engine ran."""


class Preparation:
    """Makes a container of the engine `name`; one use."""

    def __init__(
        self,
        name: str,
        spec: HostSpec,
        dockerd: Dockerd,
        gpus: Callable[[], tuple[Gpu, ...]],
        outs: Callable[[], Placement],
        inbox: Inbox,
        say: Callable[[str], None],
        cache: Callable[[str, str], Path],
    ) -> None:
        self._name, self._spec, self._engine = name, spec, spec.engines[name]
        self._dockerd, self._gpus, self._outs = dockerd, gpus, outs
        self._inbox, self._say, self._cache = inbox, say, cache

    def create(self) -> tuple[str, tuple[str, ...]]:
        """Return the id of the created container, not yet started, and its GPUs (UUIDs)."""
        try:
            self._await_dockerd()
            former = self._dockerd.processes(container_name(self._name))
            if self._dockerd.remove(container_name(self._name)):
                self._say("removed the container of the former run")
            weights = self._weights()
            self._image()
            gpus = self._assigned(former) if self._engine.gpus else ()
            container = ENGINES[self._engine.kind].container(self._engine, weights, gpus)
            cache = self._kept(container.image, container.user)
            self._dockerd.ensure_network(network.SETTINGS)
            rendered = settings(container, self._name, digest(self._engine), gpus, cache)
            return self._dockerd.create(rendered), gpus
        except (DockerRefusedError, DockerLostError) as error:
            raise CannotStartError(meaning(error)) from error

    def _kept(self, image: str, user: str) -> str:
        try:
            return str(self._cache(image, user))
        except OSError as error:
            ending = Ending(kind=ExitClass.CONFIG, reason="NoCache", message=str(error))
            raise CannotStartError(ending) from error

    def _await_dockerd(self) -> None:
        deadline = self._inbox.now() + DOCKER_PATIENCE
        while True:
            try:
                self._dockerd.holdings()
            except DockerLostError:
                if self._inbox.now() >= deadline:
                    raise
                self._rest()
            else:
                return

    def _weights(self) -> str:
        root, code = Path(self._spec.model.root), self._engine.trust_remote_code
        for repository, commit in self._engine.repositories:
            if fault := manifest.quick_fault(root / folder(repository, commit), code=code):
                message = f"{fault}; run stoker-weights@{self._name}.service"
                raise CannotStartError(
                    Ending(kind=ExitClass.CONFIG, reason="WeightsMissing", message=message)
                )
        return weights_path(self._spec.model, self._engine)

    def _image(self) -> None:
        if self._dockerd.has_image(self._engine.image):
            return
        self._say(f"pulling {self._engine.image}")
        told = self._inbox.now()
        for line in self._dockerd.pull(self._engine.image):
            if self._inbox.asked:
                raise StopAskedError("asked to stop while pulling the image")
            if self._inbox.now() - told >= PULL_LINES:
                told = self._inbox.now()
                self._say(f"pulling: {line}")
        self._say("pulled the image")

    def _assigned(self, former: frozenset[int]) -> tuple[str, ...]:
        """Return our GPUs once no process of the former run is on them."""
        wanted = {name: engine.gpus for name, engine in self._spec.engines.items()}
        held = self._held()
        deadline = self._inbox.now() + RELEASE_PATIENCE
        while True:
            present = self._well()
            uuids = assign(present, wanted, held)[self._name]
            if not (wide := self._width([gpu for gpu in present if gpu.uuid in uuids])):
                raise CannotStartError(self._too_few(len(present), uuids))
            uuids = uuids[:wide]
            ours = [gpu for gpu in present if gpu.uuid in uuids]
            left = former & {process for gpu in ours for process in gpu.processes}
            if not left:
                self._warn_of_strangers(ours)
                return uuids
            if self._inbox.now() >= deadline:
                raise CannotStartError(_still_held(left))
            self._rest()

    def _held(self) -> dict[str, tuple[str, ...]]:
        """Return what the other engines keep: what runs has it, what does not gets it again.

        What we had last is ours, whoever else has ever had it.
        """
        placed = self._outs().held
        mine = placed.get(self._name, ())
        again = {name: tuple(one for one in had if one not in mine) for name, had in placed.items()}
        held = again | self._dockerd.holdings()
        held.pop(self._name, None)
        return held

    def _well(self) -> tuple[Gpu, ...]:
        """Return the GPUs that answer, are not out of service, and are not split."""
        out = self._outs().out
        found = self._read_gpus()
        return tuple(gpu for gpu in found if gpu.uuid not in out and not gpu.split)

    @cached_property
    def _model(self) -> Checkpoint | None:
        if not self._engine.shrink:
            return None
        return shrink.read(Path(weights_path(self._spec.model, self._engine)))

    def _width(self, free: Sequence[Gpu]) -> int:
        """Return on how many of our free GPUs the engine can serve; 0 = on none."""
        card = shrink.smallest((gpu.name, gpu.memory, gpu.capability) for gpu in free)
        try:
            found = shrink.width(self._model, self._engine, len(free), card)
        except SpecError as error:
            self._say(f"cannot tell whether fewer GPUs do: {error}")
            return 0
        if 0 < found < self._engine.gpus:
            self._say(f"only {len(free)} GPUs are free and well: serving on {found} of them")
        return found

    def _read_gpus(self) -> tuple[Gpu, ...]:
        try:
            return self._gpus()
        except SourceError as error:
            ending = Ending(kind=ExitClass.GPU, reason="DriverSilent", message=str(error))
            raise CannotStartError(ending) from error

    def _rest(self) -> None:
        self._inbox.rest(1.0)
        if self._inbox.asked:
            raise StopAskedError("asked to stop before the engine started")

    def _warn_of_strangers(self, gpus: list[Gpu]) -> None:
        for gpu in gpus:
            if gpu.processes:
                pids = ", ".join(map(str, gpu.processes))
                self._say(f"warning: GPU {gpu.uuid} is also used by process {pids}")

    def _too_few(self, present: int, uuids: tuple[str, ...]) -> Ending:
        message = (
            f"the engine wants {self._engine.gpus} GPUs, but only {len(uuids)} of the "
            f"{present} that answer are free"
        )
        if self._engine.shrink:
            message += "; it is not known to fit on fewer"
        return Ending(kind=ExitClass.GPU, reason="TooFewGpus", message=message)


def _still_held(left: frozenset[int]) -> Ending:
    message = (
        f"process {', '.join(map(str, sorted(left)))} of the former run still holds GPU memory "
        f"after {RELEASE_PATIENCE:.0f} s: reset the GPU or reboot"
    )
    return Ending(kind=ExitClass.GPU, reason="GpuStillHeld", message=message)
