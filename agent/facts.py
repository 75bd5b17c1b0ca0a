"""What is known of the GPUs and of who uses them, put into the words of `agent.xid`. Pure."""

from collections.abc import Callable, Mapping

from agent.model import EngineState, Remedy, Value
from agent.sources.gpu import Gpu
from agent.xid import bus
from agent.xid import ledger as book
from agent.xid.context import Context, Product
from agent.xid.fault import Action
from agent.xid.ledger import Ledger

ContextOf = Callable[[str, str], Context]  # of a GPU (bus id), for a group of its faults


class Facts(Value, frozen=True, kw_only=True):
    """`pids`, `answering`, `gone` are by engine; what is not known is not in them.

    `pids` are of the engine's last start, also when it has ended; `gone`: it does not run.
    """

    gpus: tuple[Gpu, ...] = ()
    branch: int | None = None  # of the driver: 595
    nvswitch: bool = False
    pids: Mapping[str, frozenset[int]] = {}
    answering: Mapping[str, bool] = {}
    gone: frozenset[str] = frozenset()


def branch(driver: str) -> int | None:
    """Return the branch of a driver version: 595.91.07 → 595."""
    head = driver.partition(".")[0]
    return int(head) if head.isdecimal() else None


def buses(gpus: tuple[Gpu, ...], known: Mapping[str, str]) -> dict[str, str]:
    """Return bus id → UUID of all GPUs that are or were seen here."""
    return {**known, **{bus.normal(gpu.pci): gpu.uuid for gpu in gpus if gpu.pci and gpu.uuid}}


def context_of(
    facts: Facts,
    ledger: Ledger,
    engines: Mapping[str, EngineState],
    places: Mapping[str, str],
    overrides: Mapping[int, Remedy],
    now: float,
) -> ContextOf:
    """Return how to get the context of a GPU for judging a group of its faults."""

    def context(gpu: str, group: str) -> Context:
        uuid = places.get(gpu, "")
        users = [name for name, state in engines.items() if uuid in state.gpus]
        seen = next((one for one in facts.gpus if one.uuid == uuid), None)
        return Context(
            now=now,
            product=_product(seen, nvswitch=facts.nvswitch),
            branch=facts.branch,
            engine_pids=_pids(facts, users, known=bool(uuid)),
            probe=next((facts.answering[one] for one in users if one in facts.answering), None),
            exited=any(one in facts.gone for one in users),
            recovery=_action(seen),
            remap_failed=seen.remap_failed if seen else None,
            sram_threshold=seen.sram_threshold if seen else None,
            history=book.history(ledger, leaving=group),
            overrides=overrides,
        )

    return context


def pids_on(facts: Facts, engines: Mapping[str, EngineState], uuid: str) -> frozenset[int] | None:
    """Return the processes of the engines on a GPU; None = not known."""
    users = [name for name, state in engines.items() if uuid in state.gpus]
    return _pids(facts, users, known=bool(uuid))


def _pids(facts: Facts, users: list[str], *, known: bool) -> frozenset[int] | None:
    """No engine on a known GPU means no process of ours; an engine unseen means not known."""
    if not known or any(one not in facts.pids for one in users):
        return None
    return frozenset().union(*(facts.pids[one] for one in users))


def _product(gpu: Gpu | None, *, nvswitch: bool) -> Product:
    if gpu is None:
        return Product(nvswitch=nvswitch)
    # Before Ampere pages were retired instead, and the driver answers that query only there.
    remap = gpu.remap_failed is not None or gpu.retired_pending is None
    return Product(name=gpu.name, row_remap=remap, mig=bool(gpu.mig), nvswitch=nvswitch)


def _action(gpu: Gpu | None) -> Action | None:
    if gpu is None or gpu.recovery_action is None:
        return None
    try:
        return Action(gpu.recovery_action)
    except ValueError:  # of a newer driver
        return None
