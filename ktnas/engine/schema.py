"""Between YAML and ``SearchConfig``: types, keys, and what is said when they do not fit."""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)
from yaml import YAMLError

from ktnas.engine.config import SearchConfig, plain_config
from ktnas.errors import UserError, unknown
from ktnas.record.files import write_atomically

PARTS = ("benchmark", "transfer", "encoding", "surrogate", "screen", "survival", "latency_model", "parallel")
"""Keys that hold a mapping with a name and its own keys, which whoever it configures checks."""

EXPECTED = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}


@dataclass
class OpenSearchConfig(SearchConfig):
    """``SearchConfig`` as people write it: one objective may stand without its list."""

    objectives: Any = field(default_factory=lambda: ["error", "latency"])


def open_schema(schema: type[OpenSearchConfig] = OpenSearchConfig) -> DictConfig:
    """Typed configuration with its defaults, closed to unknown keys.

    Only the parts, which check their own, and ``until``, whose keys are tasks, stay open.
    """
    config: DictConfig = OmegaConf.structured(schema)
    OmegaConf.set_struct(config, True)
    for key in (*PARTS, "until"):
        OmegaConf.set_struct(config[key], False)
    return config


def read_config(path: Path) -> SearchConfig:
    """Configuration written by ``write_config``, as it stands in a run directory."""
    config = open_schema()
    try:
        for key, value in read_yaml(path).items():
            OmegaConf.update(config, key, value, merge=True)
    except OmegaConfBaseException as problem:
        raise UserError(f"{path}: {explain(problem)}") from None
    return to_search_config(config)


def write_config(config: SearchConfig, path: Path) -> None:
    """Write ``config`` as YAML, for people and for ``read_config``; functions by their names."""
    write_atomically(path, OmegaConf.to_yaml(OmegaConf.create(plain_config(config))).encode())


def to_search_config(config: DictConfig) -> SearchConfig:
    """Plain dataclass of a composed configuration.

    Raises:
        UserError: for a key that does not belong, or a value that is still missing.
    """
    known = [item.name for item in fields(OmegaConf.get_type(config) or SearchConfig)]
    for key in map(str, config):
        if key not in known:
            raise unknown("key", key, known)
    try:
        given = OmegaConf.to_object(config)
    except OmegaConfBaseException as problem:
        raise explain(problem) from None
    values = {item.name: getattr(given, item.name) for item in fields(SearchConfig)}
    values["objectives"] = _names("objectives", values["objectives"])
    return SearchConfig(**values)


def explain(problem: OmegaConfBaseException) -> UserError:
    """What is wrong with a configuration, in the words of the one who wrote it."""
    key = problem.full_key or str(problem.key)
    said = str(problem.msg or problem).splitlines()[0]
    if isinstance(problem, InterpolationResolutionError):
        return UserError(f"{key}: {said}. '${{...}}' refers to another key by its full name.")
    if isinstance(problem, ConfigKeyError | ConfigAttributeError):
        above = key.rpartition(".")[0]
        siblings = [str(name) for name in problem.parent_node or ()]
        return unknown("key", key, [f"{above}.{name}" if above else name for name in siblings])
    if isinstance(problem, MissingMandatoryValue):
        return UserError(f"{key} is required here: give it as {key}=VALUE.")
    converted = re.match(r"Value '(.*)' of type '.*' could not be converted to (\w+)", said)
    if converted:
        return UserError(f"{key}={converted[1]}: expected {EXPECTED.get(converted[2], converted[2])}.")
    if "is not Optional" in said:
        return UserError(f"{key}=null: a value is required.")
    if "is not a subclass of" in said:
        return UserError(f"{key} is a group of settings, not one value: give {key}.NAME=VALUE.")
    return UserError(f"{key}: {said}")


def read_yaml(path: Path) -> dict[str, Any]:
    """Keys and values of a YAML file; ``UserError`` where there is no such file, or other things in it."""
    try:
        return to_mapping(OmegaConf.load(path))
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except (YAMLError, UnicodeDecodeError, OSError, OmegaConfBaseException) as problem:
        raise UserError(f"{path} is not a readable YAML file ({str(problem).splitlines()[0]}).") from None


def to_mapping(config: DictConfig | ListConfig) -> dict[str, Any]:
    """Keys and values as plain types, interpolations as they stand."""
    content = OmegaConf.to_container(config)
    if not isinstance(content, dict):
        raise UserError(f"Expected keys and values, found {content!r}.")
    return {str(key): value for key, value in content.items()}


def _names(key: str, value: Any) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{key}={value}: expected names, as in {key}=[error,latency].")
    return names
