"""Splits GPUs through nvidia-smi. Looks first, and touches nothing that is in use."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from agent.errors import ActionError, SourceError
from agent.gpus import Gpu
from agent.mig import layout
from agent.mig.layout import Card, Instance

Run = Callable[[tuple[str, ...]], tuple[int, str]]
QUERY = (
    "nvidia-smi",
    "--query-gpu=index,uuid,mig.mode.current,mig.mode.pending",
    "--format=csv,noheader",
)
# The mode of a GPU cannot be changed while they have the driver open.
HOLDERS = ("stoker-agent.service", "nvidia-dcgm.service")


class Splitter:
    """The GPUs of this host. `run` runs a command, `gpus` tells who computes on which GPU.

    `engines` tells which GPUs (UUIDs) each running engine was given.
    """

    def __init__(
        self,
        run: Run,
        gpus: Callable[[], Sequence[Gpu]],
        engines: Callable[[], Mapping[str, Sequence[str]]],
    ) -> None:
        self._run, self._gpus, self._engines = run, gpus, engines

    def differing(self, mig: Mapping[str, tuple[str, ...]]) -> dict[int, str]:
        """Return a sentence for each GPU that is not as declared; raise if one cannot be told."""
        cards = {card.index: card for card in layout.cards(self._must(QUERY))}
        there = self._instances()
        found = {}
        for index, profiles in layout.wanted(mig, cards).items():
            mine = [one for one in there if one.gpu == index]
            if cards[index].mode is None:
                raise ActionError(f"GPU {index} cannot be split: driver_mig must leave it out")
            if not cards[index].mode or layout.differs(profiles, mine):
                has = layout.shown(one.profile for one in mine) if cards[index].mode else "MIG off"
                found[index] = f"GPU {index} has {has}, should have {layout.shown(profiles)}"
        return found

    def split(self, mig: Mapping[str, tuple[str, ...]]) -> dict[int, str]:
        """Make every GPU as declared; return what was not. `ActionError` when one cannot be."""
        wrong = self.differing(mig)
        if not wrong:
            return {}
        cards = {card.index: card for card in layout.cards(self._must(QUERY))}
        self._refuse_users([cards[index] for index in wrong])
        with self._alone():
            for index, profiles in layout.wanted(mig, wrong).items():
                if not cards[index].mode:
                    self._enable(index)
                self._clear(index)
                make = ("-cgi", ",".join(profiles), "-C")
                self._must(("nvidia-smi", "mig", *make, "-i", str(index)))
        if still := self.differing(mig):
            raise ActionError("; ".join(still.values()))
        return wrong

    def _refuse_users(self, cards: list[Card]) -> None:
        users = {gpu.uuid: gpu.processes for gpu in self._gpus()}
        holders = {uuid: name for name, uuids in self._engines().items() for uuid in uuids}
        for card in cards:
            if name := holders.get(card.uuid):
                raise ActionError(
                    f"GPU {card.index} is held by engine {name}: its layout stays as it is; deploy "
                    "engines that leave this GPU alone first (driver_mig without it), then split it"
                )
            if card.uuid not in users:
                raise SourceError(f"GPU {card.index} does not tell who uses it: it stays as it is")
            if pids := users[card.uuid]:
                raise ActionError(
                    f"GPU {card.index} is in use by process {', '.join(map(str, pids))}: its "
                    "layout stays as it is; stop what runs there, then deploy again"
                )

    def _enable(self, index: int) -> None:
        self._must(("nvidia-smi", "-i", str(index), "-mig", "1"))
        card = self._card(index)
        if not card.mode and card.pending:  # before Hopper it takes a reset
            self._must(("nvidia-smi", "--gpu-reset", "-i", str(index)))
            card = self._card(index)
        if not card.mode:
            raise ActionError(f"GPU {index} does not take up MIG mode: reboot the host")

    def _clear(self, index: int) -> None:
        mine = [one for one in self._instances() if one.gpu == index]
        if any(one.computes for one in mine):
            self._must(("nvidia-smi", "mig", "-dci", "-i", str(index)))
        if mine:
            self._must(("nvidia-smi", "mig", "-dgi", "-i", str(index)))

    def _card(self, index: int) -> Card:
        return next(card for card in layout.cards(self._must(QUERY)) if card.index == index)

    def _instances(self) -> tuple[Instance, ...]:
        listed = self._listed("-lgi")
        return layout.instances(listed, self._listed("-lci") if listed else "")

    def _listed(self, option: str) -> str:
        code, out = self._run(("nvidia-smi", "mig", option))
        if any(words in out for words in layout.NONE_FOUND):
            return ""
        if code != 0:
            raise SourceError(f"nvidia-smi mig {option}: {_last(code, out)}")
        return out

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Stop what keeps the driver open, and start it again without waiting for it.

        At boot it waits for us.
        """
        held = [unit for unit in HOLDERS if self._run(("systemctl", "is-active", unit))[0] == 0]
        try:
            for unit in held:
                self._must(("systemctl", "stop", unit))
            yield
        finally:
            for unit in reversed(held):
                self._run(("systemctl", "start", "--no-block", unit))

    def _must(self, words: tuple[str, ...]) -> str:
        code, out = self._run(words)
        if code != 0:
            raise ActionError(f"{' '.join(words)}: {_last(code, out)}")
        return out


def _last(code: int, out: str) -> str:
    lines = [line for line in out.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"exit code {code}"
