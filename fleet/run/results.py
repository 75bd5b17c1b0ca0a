"""What became of each host of a run, read off pyinfra's state."""

from collections.abc import Collection

from pyinfra.api.host import Host
from pyinfra.api.state import State

from fleet.run.events import HostResult, Verdict

LINES = 20  # of what an operation printed last


def of(state: State, host: Host, reached: Collection[str] = ()) -> HostResult:
    """Return it, as it stands now."""
    changed, failed, lines, engines = list[str](), "", list[str](), list[str]()
    whole, begun = True, False
    for key in host.op_hash_order:
        [name] = state.op_meta[key].names
        meta = state.ops[host][key].operation_meta
        if not meta.is_complete():
            whole = False
            continue
        begun = True
        if meta.did_change():
            changed.append(name)
            engines += meta.stdout_lines if name.startswith("engine | ") else ()
        elif not meta.did_succeed():
            failed = failed or name
            lines = (meta.stderr_lines or meta.stdout_lines)[-LINES:]
    return HostResult(
        host=host.name,
        verdict=_verdict(
            whole=whole, begun=begun, failed=bool(failed) or host in state.failed_hosts
        ),
        changed=tuple(changed),
        failed=failed,
        lines=tuple(lines),
        reached=host.name in reached,
        engines=tuple(engines),
    )


def _verdict(*, whole: bool, begun: bool, failed: bool) -> Verdict:
    if failed:
        return "failed"
    if not begun:
        return "not begun"
    return "done" if whole else "stopped"
