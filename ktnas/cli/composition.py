"""From ``key=value`` on the command line to a configuration, by Hydra; every mistake becomes one message."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import open_dict
from omegaconf.errors import OmegaConfBaseException

from ktnas.engine.config import SearchConfig
from ktnas.engine.schema import OpenSearchConfig, explain, open_schema, to_search_config
from ktnas.errors import UserError, unknown
from ktnas.presets import GROUPS, group_options, load_option
from ktnas.resources import resource_dir
from ktnas.tables.files import imported_benchmarks

CONFIG_NAME = "config"
CONFIG_DIR = str(resource_dir("conf"))
STRUCTURE = set("[]{}(),'\"$")
"""Characters that mean something to Hydra inside a value, and need quotes where they should not."""


@dataclass
class SearchCommand(OpenSearchConfig):
    """What ``ktnas search`` is told: a search, and the run directory to go on with."""

    resume: str | None = None


@dataclass(frozen=True)
class Composed:
    """One composed command.

    Attributes:
        config: of the search.
        resume: directory of the run to go on with; None to start one.
        run_dir: ``hydra.run.dir``.
        sweep_dir: ``hydra.sweep.dir``.
        sweeper: class of the Hydra sweeper.
    """

    config: SearchConfig
    resume: Path | None
    run_dir: Path
    sweep_dir: Path
    sweeper: str


def register_schema() -> None:
    """Make the names and types of all keys known to Hydra, and the imported benchmarks."""
    store = ConfigStore.instance()
    store.store(name="search_schema", node=open_schema(SearchCommand), provider="ktnas")
    store.repo.pop("benchmark", None)  # what was imported when this process last asked
    for name in imported_benchmarks():
        with suppress(UserError):  # one that is damaged is only missed where it is asked for
            store.store(
                group="benchmark", name=name, node=load_option("benchmark", name), provider="imported"
            )


@contextmanager
def hydra_session() -> Iterator[None]:
    """Hydra on ``conf/``; ``parse`` and ``compose`` work inside."""
    register_schema()
    with hydra.initialize_config_dir(CONFIG_DIR, job_name="search", version_base="1.3"):
        yield


def parse(overrides: Sequence[str]) -> list[Override]:
    """Parsed ``key=value`` arguments; ``UserError`` for the first that is not one."""
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    return [_parse_one(parser, text) for text in overrides]


def compose(overrides: Sequence[str]) -> Composed:
    """Compose one command from overrides without sweeps; ``UserError`` where they do not fit."""
    try:
        composed = hydra.compose(CONFIG_NAME, list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(composed)
        settings = composed.hydra
        run_dir, sweep_dir = Path(settings.run.dir), Path(settings.sweep.dir)
        sweeper = str(settings.sweeper["_target_"])
        with open_dict(composed):
            del composed["hydra"]
        config, resume = to_search_config(composed), composed.resume
    except UserError:
        raise
    except (HydraException, OmegaConfBaseException, ValueError) as problem:
        raise _explain(problem) from None
    return Composed(config, Path(resume) if resume else None, run_dir, sweep_dir, sweeper)


def _parse_one(parser: OverridesParser, text: str) -> Override:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UserError(f"'{text}' is no option. Options are written key=value, as in budget=50.")
    forms = [text]
    if not STRUCTURE & set(value):
        forms.append(f'{key}="{value}"')  # a path, say, with characters that Hydra's grammar wants in quotes
    for form in forms:
        with suppress(HydraException):
            return _checked(parser.parse_override(form))
    raise UserError(
        f"'{text}' cannot be read. A list is written {key}=[a,b]. A text that holds one of "
        f"{' '.join(sorted(STRUCTURE))} needs quotes that reach ktnas, as in '{key}=\"a,b\"'."
    )


def _checked(override: Override) -> Override:
    """The override, if it sets a key, and a part by its name."""
    key, text = str(override.key_or_group), str(override.input_line)
    if override.is_delete():
        raise UserError(f"{text}: a key cannot be taken away, only set: {key}=VALUE.")
    names_part = key in GROUPS and not override.is_sweep_override()
    if names_part and not isinstance(override.value(), str):
        options = ", ".join(group_options(key))
        raise UserError(f"{text}: expected one of {options}. Settings follow as {key}.KEY=VALUE.")
    return override


def _explain(problem: Exception) -> UserError:
    if isinstance(problem, MissingConfigException) and problem.missing_cfg_file:
        group, _, name = problem.missing_cfg_file.rpartition("/")
        return unknown(group, name, problem.options or ())
    for error in (problem, problem.__cause__):
        if isinstance(error, OmegaConfBaseException):
            return explain(error)
    return UserError(str(problem).splitlines()[0])
