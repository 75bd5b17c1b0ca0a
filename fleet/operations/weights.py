"""The weights of an engine: there, complete, and of the pinned commit."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from pyinfra.api.hiddenvalue import HiddenValue
from typing_extensions import override

from agent.paths import weights_unit

_COMPLETE = (
    "from pathlib import Path; import sys; from agent.manifest import quick_fault; "
    'print(quick_fault(Path(sys.argv[1]), code=sys.argv[2] == "code") or "complete")'
)

# The unit removes the token when it ends; the trap is for a unit that does not start. What the
# program said last was written for the operator.
_FETCH = r"""
umask 077; directory=/run/stoker/secrets/$engine
trap 'rm -rf "$directory"' EXIT HUP TERM
mkdir -p "$directory" && cat >"$directory/hf-token"
systemctl start "$unit" 2>/dev/null && exit 0
run=$(systemctl show -p InvocationID --value "$unit")
journalctl -q -o cat -n 3 "_SYSTEMD_INVOCATION_ID=$run" >&2
exit 1
"""


class WeightsComplete(FactBase[bool]):
    """Tells whether the weights in `directory` are complete; `code` = with the model's own."""

    @override
    @staticmethod
    def default() -> bool:
        return False

    @override
    def command(self, directory: str, code: bool) -> StringCommand:
        return StringCommand(
            "/opt/stoker/venv/bin/python -c", QuoteString(_COMPLETE), QuoteString(directory),
            "code" if code else "weights", "2>/dev/null || true",
        )  # fmt: skip

    @override
    def process(self, output: list[str]) -> bool:
        return output == ["complete"]


@operation()
def weights(
    engine: str, directory: str, *, code: bool, token: HiddenValue
) -> Generator[StringCommand]:
    """Fetch the weights of `engine` into `directory`, unless they are complete.

    The token is given on stdin into a file in memory, and lives as long as the fetch.
    """
    if host.get_fact(WeightsComplete, directory=directory, code=code):
        host.noop(f"the weights in {directory} are complete")
        return
    names = ["engine=", QuoteString(engine), "; unit=", QuoteString(weights_unit(engine)), ";"]
    yield StringCommand(*names, _FETCH, _separator="", _stdin=token.unmask() or "\n")
