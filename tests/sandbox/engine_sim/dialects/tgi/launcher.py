"""``text-generation-launcher``: reads the flags, starts the children, watches, and ends with them.

Exit codes: 0 after a stop, 1 for every failure (told apart by the log), 2 for a usage error.
"""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from ...board import RUN_DIR_ENV, Board
from ...control import DEFAULT_PORT, Control
from ...ledger import Ledger
from ...logs import Log
from ...process import rename_self
from ...settings import SettingsError, load_settings
from . import VERSION
from .arguments import plan
from .flag_table import load_flags
from .flags import Flags, UsageError, parse
from .problems import LauncherError
from .supervisor import Supervisor


def main(argv: list[str]) -> int:
    """Run the launcher; gives its exit code."""
    env = dict(os.environ)
    try:
        flags = parse(argv, env)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    if flags.on("help"):
        print(_help())
        return 0
    if flags.on("version"):
        print(f"text-generation-launcher {VERSION}")
        return 0
    rename_self("text-generation-launcher")
    log = Log("text_generation_launcher", as_json=flags.on("json_output"))
    log.info(_dump(flags))
    run_dir = Path(tempfile.mkdtemp(prefix="engine-sim-"))
    try:
        return _run(flags, env | {RUN_DIR_ENV: str(run_dir)}, run_dir, log)
    except (LauncherError, SettingsError) as error:
        print(f"Error: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


def _run(flags: Flags, env: dict[str, str], run_dir: Path, log: Log) -> int:
    settings = load_settings(flags.required("model_id"), env)
    if settings.start == "exit":
        return settings.exit_code
    supervisor = Supervisor(flags, plan(flags, env), env, log, Board(run_dir))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.stop())
    port = int(env.get("STOKER_SIM_CONTROL_PORT", DEFAULT_PORT))
    Control(("0.0.0.0", port), supervisor, Board(run_dir), Ledger(run_dir))
    return supervisor.run()


def _dump(flags: Flags) -> str:
    # With the API key, as the real launcher does: its log bears secrets.
    lines = [f"    {key}: {_rust(value)}," for key, value in flags.values.items()]
    return "\n".join(["Args {", *lines, "}"])


def _rust(value: str | bool | None) -> str:
    if value is None:
        return "None"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


def _help() -> str:
    lines = ["Text Generation Launcher", "", "Usage: text-generation-launcher [OPTIONS]", ""]
    return "\n".join([*lines, "Options:", *(f"      {flag.name}" for flag in load_flags())])
