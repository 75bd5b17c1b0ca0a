"""`stoker-weights`: look at the weights on this node, and remove those that nothing needs.

Exit codes: 0 done, or all is well · 1 something is damaged, or it cannot be told · 2 wrong use.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from agent import manifest
from agent.engine_spec import folder
from agent.errors import ActionError, StokerError
from agent.paths import Paths
from agent.weights import caches, garbage
from agent.weights.__main__ import engine_of
from agent.weights.plan import amount

RELEASES = Path("/opt/stoker/releases")


def main(
    arguments: Sequence[str] | None = None,
    paths: Paths = Paths(),  # noqa: B008 - a frozen value
    releases: Path = RELEASES,
    proc: Path = Path("/proc"),
) -> int:
    """Run one command."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "use":
            named = replace(paths, etc=options.etc) if options.etc else paths
            return _use(options.engine, options.cache, named)
        found = garbage.survey(garbage.retained(paths.spec, releases), garbage.mounted(proc))
        if options.command == "verify":
            return _verify(found, as_json=options.json)
        return _collect(found, do=options.remove, as_json=options.json)
    except StokerError as error:
        print(f"stoker-weights: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stoker-weights", description="This node's weights.")
    commands = parser.add_subparsers(dest="command", required=True)
    gc = commands.add_parser("gc", help="show the weights and what needs them; remove the others")
    gc.add_argument("--remove", action="store_true", help="remove what nothing needs")
    verify = commands.add_parser("verify", help="read every file again and compare its hash")
    use = commands.add_parser(
        "use", help="take an engine's weights from caches of the Hub; the next fetch verifies them"
    )
    use.add_argument("--etc", type=Path, help=argparse.SUPPRESS)  # where another spec lies
    use.add_argument("engine")
    use.add_argument("cache", nargs="+", type=Path, help="such as ~/.cache/huggingface/hub")
    for command in (gc, verify):
        command.add_argument("--json", action="store_true", help="print it as one document")
    return parser


def _use(name: str, found: Sequence[Path], paths: Paths) -> int:
    engine, model = engine_of(name, paths)
    places = {pin: Path(model.root) / folder(*pin) for pin in engine.repositories}
    caches.take(found, places, _free, _say, code=engine.trust_remote_code)
    return 0


def _free(directory: Path) -> int:
    return shutil.disk_usage(directory).free


def _say(line: str) -> None:
    print(line, flush=True)


def _collect(found: Sequence[garbage.Found], *, do: bool, as_json: bool) -> int:
    failed = 0
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    for one in found:
        if not as_json:
            print(_line(one, do=do))
        if do and not one.needed_by:
            try:
                garbage.remove(one)
            except (ActionError, OSError) as error:
                print(f"stoker-weights: {error}", file=sys.stderr)
                failed = 1
    freed = sum(one.size for one in found if not one.needed_by)
    if not as_json and freed and not do:
        print(f"{amount(freed)} would become free: stoker-weights gc --remove")
    return failed


def _line(one: garbage.Found, *, do: bool) -> str:
    if one.needed_by:
        return f"keep   {one.path} ({amount(one.size)}): {', '.join(one.needed_by)}"
    return f"{'remove' if do else 'unused'} {one.path} ({amount(one.size)}): nothing needs it"


def _verify(found: Sequence[garbage.Found], *, as_json: bool) -> int:
    faults: dict[str, list[str]] = {}
    for one in found:
        directory = Path(one.path)
        if (directory / manifest.NAME).exists():
            faults[one.path] = list(manifest.damaged(directory))
            if not as_json:
                print(_verdict(one.path, faults[one.path]), flush=True)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(faults)).decode())
    return 1 if any(faults.values()) else 0


def _verdict(path: str, bad: Sequence[str]) -> str:
    if not bad:
        return f"good    {path}"
    return f"damaged {path}: {', '.join(bad)}; remove these files, and deploy again"


if __name__ == "__main__":
    sys.exit(main())
