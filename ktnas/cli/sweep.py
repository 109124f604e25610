"""``ktnas search -m``: one search per combination of values, by Hydra's sweepers and launchers."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.errors import CompactHydraException
from omegaconf import DictConfig

from ktnas.cli.composition import (
    CONFIG_DIR,
    CONFIG_NAME,
    Composed,
    compose,
    hydra_session,
    parse,
    register_schema,
)
from ktnas.engine.config import SearchConfig
from ktnas.engine.schema import read_config, to_search_config
from ktnas.errors import UserError


def sweep(overrides: Sequence[str]) -> int:
    """Run one search per combination of values, having checked them all first; returns the exit code."""
    with hydra_session():
        parsed = parse(overrides)
        jobs = _check(parsed)
    constant = [item for item in parsed if not item.is_sweep_override() and not item.is_hydra_override()]
    unnamed = ",".join(f"'{item.get_key_element()}'" for item in constant)
    sweep_dir = jobs[0].sweep_dir
    print(f"{len(jobs)} searches; everything is kept in {sweep_dir}", flush=True)
    arguments = [
        "--multirun",
        f"hydra.job.config.override_dirname.exclude_keys=[{unnamed}]",
        *(str(item.input_line) for item in parsed),
        f"hydra.sweep.dir='{sweep_dir}'",
    ]
    try:
        code = hand_to_hydra(arguments)
    except KeyboardInterrupt:
        kept = "Interrupted; every evaluation so far is kept."
        print(f"{kept} Continue with the same command and hydra.sweep.dir='{sweep_dir}'", file=sys.stderr)
        return 130
    if code == 0:
        print(f"Next: ktnas compare {shlex.quote(str(sweep_dir))}", flush=True)
    return code


def hand_to_hydra(arguments: Sequence[str]) -> int:
    """Let ``hydra.main`` act on ``arguments``, which have been checked; returns the exit code."""
    register_schema()
    application = hydra.main(config_path=CONFIG_DIR, config_name=CONFIG_NAME, version_base="1.3")(run_job)
    outer, sys.argv = sys.argv, ["ktnas search", *arguments]
    try:
        application()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    finally:
        sys.argv = outer
    return 0


def run_job(settings: DictConfig) -> None:
    """One search of a sweep: skipped when it is finished, continued when it was interrupted."""
    from ktnas.engine.run import run_search

    config = to_search_config(settings)
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    if is_finished(run_dir, config):
        print(f"{run_dir.name}: finished before, skipped", flush=True)
        return
    try:
        run_search(config, run_dir)
    except Exception as problem:
        print(f"{run_dir.name}: failed, {problem}", file=sys.stderr, flush=True)
        if isinstance(problem, UserError):
            raise CompactHydraException(str(problem)) from None
        raise
    print(f"{run_dir.name}: done", flush=True)


def is_finished(run_dir: Path, config: SearchConfig) -> bool:
    """Whether ``run_dir`` holds the result of this very search."""
    return (run_dir / "summary.json").is_file() and read_config(run_dir / "config.yaml") == config


def _check(parsed: list[Override]) -> list[Composed]:
    """The searches of a sweep, all composed and prepared; ``UserError`` for the first that cannot be."""
    from ktnas.engine.run import prepare

    own = [item for item in parsed if not item.is_hydra_override()]
    settings = [str(item.input_line) for item in parsed if item.is_hydra_override()]
    base = compose(settings + [str(item.input_line) for item in own if not item.is_sweep_override()])
    if base.resume is not None:
        raise UserError("resume= is for one search. To continue a sweep, repeat it with hydra.sweep.dir=DIR.")
    jobs = [base]
    if base.sweeper.endswith(BasicSweeper.__name__):
        jobs = [compose(settings + job) for job in BasicSweeper.split_arguments(own, None)[0]]
    prepared: list[SearchConfig] = []
    for config in (replace(job.config, seed=0) for job in jobs):
        if config not in prepared:
            prepare(config)
            prepared.append(config)
    return jobs
