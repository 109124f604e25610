"""``ktnas search``: compose, check everything, and only then run."""

import shlex
import sys
from argparse import ArgumentError, ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from ktnas.engine.config import SearchConfig
from ktnas.engine.schema import read_config
from ktnas.errors import StoppedError, UserError

CONFIGS = ("job", "hydra", "all")
INFOS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


def search(arguments: Sequence[str]) -> int:
    """Run ``ktnas search ARGUMENTS``; returns the exit code. ``UserError`` before anything is written."""
    options = _read_arguments(arguments)
    if options.help:
        from ktnas.cli.search_help import search_help

        print(search_help())
        return 0
    from ktnas.cli import sweep
    from ktnas.cli.composition import compose, hydra_session, parse

    overrides = options.overrides + _search_path(options.config_dir)
    if options.multirun:
        return sweep.sweep(overrides)
    with hydra_session():
        parsed = parse(overrides)
        for override in parsed:
            if override.is_sweep_override():
                key, _, values = str(override.input_line).partition("=")
                raise UserError(
                    f"{key}={values} names several values. Add -m to run one search for each of them, "
                    f"or write {key}=[{values}] for a list."
                )
        overrides = [str(override.input_line) for override in parsed]
        composed = compose(overrides)
    for flag, shown in (("--cfg", options.cfg), ("--info", options.info)):
        if shown:
            return sweep.hand_to_hydra([flag, shown, *overrides])
    if composed.resume is None:
        return _run(composed.config, composed.run_dir)
    alone = all(text.startswith(("resume=", "hydra.")) for text in overrides)
    return _run(_resumed(composed.resume) if alone else composed.config, composed.resume)


def _resumed(run_dir: Path) -> SearchConfig:
    if not (run_dir / "config.yaml").is_file():
        raise UserError(f"resume={run_dir}: no search was started there (it holds no config.yaml).")
    return read_config(run_dir / "config.yaml")


def _run(config: SearchConfig, run_dir: Path) -> int:
    from ktnas.cli.progress import make_progress
    from ktnas.cli.tables import print_report, report_console
    from ktnas.engine.run import run_search

    console = report_console()
    kept = "every evaluation so far is kept"
    go_on = f"Continue with: ktnas search resume={shlex.quote(str(run_dir))}"
    try:
        result = run_search(config, run_dir, make_progress(console))
    except KeyboardInterrupt:
        if not (run_dir / "config.yaml").is_file():
            raise
        print(f"Interrupted; {kept}. {go_on}", file=sys.stderr)
        return 130
    except StoppedError as problem:
        if "resume=" in str(problem) or not (run_dir / "config.yaml").is_file():
            raise
        raise UserError(f"{problem}\nStopped; {kept}. {go_on}") from None
    print_report(result, console)
    return 0


def _search_path(config_dir: str | None) -> list[str]:
    if config_dir is None:
        return []
    if not Path(config_dir).is_dir():
        raise UserError(f"--config-dir {config_dir}: no such directory.")
    return [f"hydra.searchpath=['file://{Path(config_dir).resolve()}']"]


def _read_arguments(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("-cd", "--config-dir")
    parser.add_argument("-c", "--cfg", choices=CONFIGS)
    parser.add_argument("-i", "--info", nargs="?", const="all", choices=INFOS)
    parser.add_argument("overrides", nargs="*")
    try:
        options, others = parser.parse_known_intermixed_args(arguments)
    except ArgumentError as problem:
        raise UserError(f"{problem}.") from None
    if others:
        raise UserError(
            f"Unknown flag '{others[0]}'. What to search is said without dashes, as key=value: "
            f"{others[0].lstrip('-').partition('=')[0]}=VALUE. See ktnas search --help."
        )
    return options
