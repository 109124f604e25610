"""Spaces by name, or from a YAML file of one's own."""

from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import YAMLError

from ktnas.errors import UserError, unknown
from ktnas.registry import PLUGINS, resolve
from ktnas.resources import resource_dir
from ktnas.space.base import SearchSpace


def list_spaces() -> list[str]:
    """Names of the spaces that come with ktnas."""
    return sorted(path.stem for path in resource_dir("spaces").glob("*.yaml"))


def load_space(name_or_path: str | Path) -> SearchSpace:
    """The space of that name, or of the YAML file at that path (``.yaml`` or ``.yml``).

    Raises:
        UserError: an unknown name, a file that cannot be read, or a key that is unknown, missing or wrong.
    """
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        path = Path(text).expanduser().resolve()
        if not path.is_file():
            raise UserError(f"There is no space file '{text}'.")
    elif text in list_spaces():
        path = resource_dir("spaces") / f"{text}.yaml"
    else:
        raise unknown("space", text, list_spaces())
    return _load(path, path.stat().st_mtime_ns)


@lru_cache
def _load(path: Path, _modified: int) -> SearchSpace:
    try:
        return _build(_read(path))
    except UserError as problem:
        raise UserError(f"{path.name}: {problem}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        config = OmegaConf.load(path)
    except (YAMLError, UnicodeDecodeError, OSError, OmegaConfBaseException) as problem:
        raise UserError(f"not a readable YAML file ({str(problem).splitlines()[0]}).") from None
    if not isinstance(config, DictConfig):
        raise UserError("expected keys and values.")
    content = cast(dict[str, Any], OmegaConf.to_container(config, resolve=False))
    return {str(key): value for key, value in content.items()}


def _build(config: dict[str, Any]) -> SearchSpace:
    if "family" not in config:
        raise UserError(f"key 'family' is missing. Valid: {', '.join(PLUGINS['family'])}.")
    family = resolve("family", str(config.pop("family")))
    known = [field.name for field in fields(family)]
    schema = OmegaConf.structured(family)
    OmegaConf.set_readonly(schema, False)
    for key, value in config.items():
        if key not in known:
            raise unknown("key", key, ["family", *known])
        try:
            if _holds_mappings(value):  # a list of them takes the type of its elements in a merge only
                schema = OmegaConf.merge(schema, {key: value})
            else:
                schema[key] = value
        except OmegaConfBaseException as problem:
            raise UserError(f"{key}: {str(problem).splitlines()[0]}.") from None
    try:
        return cast(SearchSpace, OmegaConf.to_object(schema))
    except MissingMandatoryValue as problem:
        raise UserError(f"key '{problem.key}' is missing.") from None
    except OmegaConfBaseException as problem:
        raise UserError(f"{problem.full_key}: {str(problem).splitlines()[0]}.") from None


def _holds_mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
