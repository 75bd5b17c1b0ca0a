"""The weights of an engine: there, complete, and of the pinned commits."""

from collections.abc import Generator, Mapping, Sequence

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from pyinfra.api.hiddenvalue import HiddenValue
from typing_extensions import override

from agent.paths import weights_unit
from fleet.operations.told import Told

# One line a directory of weights that must be looked at; the word at the end says that we could.
_DOUBTS = (
    "from pathlib import Path; import sys; from agent.manifest import doubt; "
    'code = sys.argv[1] == "code"; '
    'pairs = [place.split("=") for place in sys.argv[2:]]; '
    "print(*filter(None, [doubt(Path(p), code=code, lock=k) for p, k in pairs]), "
    '"looked", sep="\\n")'
)

# The unit removes the token when it ends; the trap is for a unit that does not start. Its lines are
# shown as they come; what it said last was written for the operator.
_FETCH = r"""
umask 077; directory=/run/stoker/secrets/$engine; seen=$(mktemp -d)
trap 'rm -rf "$directory" "$seen"' EXIT HUP TERM
mkdir -p "$directory" && cat >"$directory/hf-token"
tell() {
  run=$(systemctl show -p InvocationID --value "$unit")
  journalctl -q -o cat --cursor-file="$seen/cursor" "_SYSTEMD_INVOCATION_ID=$run"
}
systemctl start "$unit" 2>/dev/null & start=$!
while kill -0 "$start" 2>/dev/null; do
  [ "$(systemctl show -p ActiveState --value "$unit")" = activating ] && tell
  sleep 1
done
wait "$start"; code=$?
journalctl --sync; tell
exit "$code"
"""


class WeightsComplete(FactBase[bool]):
    """Tells whether all weights are complete and as locked, by the program's `python`.

    `places` maps each directory to the digest of its lock entry (empty: not locked); `code` = with
    the model's own Python files.
    """

    @override
    @staticmethod
    def default() -> bool:
        return False

    @override
    def command(self, python: str, places: Mapping[str, str], code: bool) -> StringCommand:
        pairs = [QuoteString(f"{path}={digest}") for path, digest in places.items()]
        return StringCommand(
            f"{python} -c", QuoteString(_DOUBTS), "code" if code else "weights",
            *pairs, "2>/dev/null || true",
        )  # fmt: skip

    @override
    def process(self, output: list[str]) -> bool:
        return output == ["looked"]


@operation()
def weights(
    engine: str,
    python: str,
    places: Mapping[str, str],
    *,
    code: bool,
    token: HiddenValue,
    caches: Sequence[str] = (),
    etc: str = "/etc/stoker",
) -> Generator[StringCommand]:
    """Fetch what `engine` serves into `places`, unless all is complete.

    `python` is the program's, `etc` the directory of the spec that names the engine.
    What lies in `caches` of the Hub on the host is used, and verified as if it had been fetched.
    The token is given on stdin into a file in memory, and lives as long as the fetch.
    """
    if host.get_fact(WeightsComplete, python=python, places=places, code=code):
        host.noop(f"the weights of {engine} are complete")
        return
    if caches:  # outside of the unit's sandbox, in which files cannot be linked
        paths = [QuoteString(path) for path in caches]
        use = f"{python} -m agent.weights.command use --etc {etc}"
        yield Told(use, QuoteString(engine), *paths, "2>&1 || true")
    names = ["engine=", QuoteString(engine), "; unit=", QuoteString(weights_unit(engine)), ";"]
    yield Told(*names, _FETCH, _separator="", _stdin=token.unmask() or "\n")
