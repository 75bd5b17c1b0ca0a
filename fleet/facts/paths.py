"""What lies at some paths: one command for all of them."""

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from agent.drift.manifest import Directory, File, Link

Found = dict[str, File | Directory | Link]

_LOOK = """do
  if [ -L "$p" ]; then echo "l|$p|$(readlink "$p")"
  elif [ -d "$p" ]; then echo "d|$p|$(stat -c '%a|%U|%G' "$p")"
  elif [ -e "$p" ]; then echo "f|$p|$(stat -c '%a|%U|%G' "$p")|$(sha256sum <"$p" | cut -c1-64)"
  fi
done"""


class PathStates(FactBase[Found]):
    """Maps each of `paths` that is there to what is there."""

    @override
    @staticmethod
    def default() -> Found:
        return {}

    @override
    def command(self, paths: list[str]) -> StringCommand:
        return StringCommand("for p in", *(QuoteString(path) for path in paths), ";", _LOOK)

    @override
    def process(self, output: list[str]) -> Found:
        found: Found = {}
        for line in output:
            kind, path, *rest = line.split("|")
            if kind == "l":
                found[path] = Link(target=rest[0])
            elif kind == "d":
                found[path] = Directory(mode=rest[0], user=rest[1], group=rest[2])
            else:
                mode, user, group, sha256 = rest
                found[path] = File(sha256=sha256, mode=mode, user=user, group=group)
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
