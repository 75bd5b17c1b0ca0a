"""What lies at some paths: one command for all of them."""

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from agent.drift.manifest import Directory, File, Link

Found = dict[str, File | Directory | Link]

# Two processes, however many paths: a check for drift looks at all of them every half hour.
_LOOK = r"""look() {
  for p; do shift
    if [ -L "$p" ]; then echo "l|$p|$(readlink "$p")"; elif [ -e "$p" ]; then set -- "$@" "$p"; fi
  done
  [ $# = 0 ] || stat -c 's|%n|%F|%a|%U|%G' "$@"
  for p; do shift; [ -d "$p" ] || set -- "$@" "$p"; done
  [ $# = 0 ] || sha256sum "$@"
}; look"""


class PathStates(FactBase[Found]):
    """Maps each of `paths` that is there to what is there."""

    @override
    @staticmethod
    def default() -> Found:
        return {}

    @override
    def command(self, paths: list[str]) -> StringCommand:
        return StringCommand(_LOOK, *(QuoteString(path) for path in paths), "|| true")

    @override
    def process(self, output: list[str]) -> Found:
        found: Found = {}
        files: dict[str, list[str]] = {}
        for line in output:
            kind, _, rest = line.partition("|")
            if kind == "l":
                path, _, target = rest.partition("|")
                found[path] = Link(target=target)
            elif kind == "s":
                path, of, mode, user, group = rest.rsplit("|", 4)
                if of == "directory":
                    found[path] = Directory(mode=mode, user=user, group=group)
                else:
                    files[path] = [mode, user, group]
            elif path := line[66:]:  # as sha256sum prints it
                mode, user, group = files[path]
                found[path] = File(sha256=line[:64], mode=mode, user=user, group=group)
        return found


class Text(FactBase[str]):
    """The content of a small file; empty when there is none."""

    @override
    @staticmethod
    def default() -> str:
        return ""

    @override
    def command(self, path: str) -> StringCommand:
        return StringCommand("cat", QuoteString(path), "2>/dev/null || true")

    @override
    def process(self, output: list[str]) -> str:
        return "\n".join(output)
