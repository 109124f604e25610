"""The YAML presets of ``conf/``, composed into a ``SearchConfig`` without Hydra.

The same files drive the command line through Hydra, and both compose the same configuration: the defaults of
``config.yaml``, then the algorithm's parts and settings, then what the user asks for.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ktnas.engine.benchmark_config import benchmark_files
from ktnas.engine.config import SearchConfig
from ktnas.engine.schema import PARTS, explain, open_schema, read_yaml, to_mapping, to_search_config
from ktnas.errors import UserError, unknown
from ktnas.registry import PLUGINS
from ktnas.resources import resource_dir

GROUPS = (*PARTS, "algorithm")


def group_options(group: str) -> list[str]:
    """Names of the presets in ``conf/<group>/``, sorted; after the benchmarks, those that were imported."""
    return list(_presets(group))


def load_option(group: str, name: str) -> dict[str, Any]:
    """Content of ``conf/<group>/<name>.yaml``, or of an imported benchmark."""
    return read_yaml(_preset(group, name))


def describe_option(group: str, name: str) -> str:
    """First comment of a preset, one line for people; empty when it has none."""
    text = _preset(group, name).read_text(encoding="utf-8")
    comment = re.search(r"^# (?!@)(.+)$", text, flags=re.MULTILINE)
    return comment[1] if comment else ""


def load_algorithm(name: str) -> dict[str, Any]:
    """An algorithm as a composition: its own settings, and each part it chooses loaded in full."""
    settings = load_option("algorithm", name)
    parts = _choices(settings.pop("defaults", []))
    return {group: load_option(group, option) for group, option in parts.items()} | settings


def compose(
    algorithm: str = "ktnas",
    benchmark: str | Mapping[str, Any] = "nasbench_graph",
    overrides: Mapping[str, Any] | None = None,
) -> SearchConfig:
    """Configuration of a search.

    Args:
        algorithm: a preset of ``conf/algorithm/``.
        benchmark: a preset of ``conf/benchmark/``, a YAML file, or ``{"name": preset, **changes to it}``.
        overrides: fields of ``SearchConfig``, nested or dotted (``{"variation.offspring": 20}``). A part is
            given by the name of its preset (``{"transfer": "random"}``), or like ``benchmark`` with changes.

    Raises:
        UserError: for an unknown preset or key, or a value of the wrong type.
    """
    primary = to_mapping(OmegaConf.load(resource_dir("conf") / "config.yaml"))
    parts = _choices(primary.pop("defaults"))
    chosen = {group: name for group, name in parts.items() if group in PARTS and group != "benchmark"}
    plain = {key: value for key, value in primary.items() if key != "hydra"}
    config = open_schema()
    for layer in (chosen, plain, load_algorithm(algorithm), {"benchmark": benchmark}, overrides or {}):
        for key, value in layer.items():
            _assign(config, key, value)
    return to_search_config(config)


def _assign(config: DictConfig, key: str, value: Any) -> None:
    try:
        if key in PARTS:
            config[key] = OmegaConf.create(_part(key, value, config[key]), flags={"allow_objects": True})
            OmegaConf.set_struct(config[key], False)
        else:
            OmegaConf.update(config, key, value, merge=True)
    except OmegaConfBaseException as problem:
        raise explain(problem) from None


def _part(group: str, value: Any, current: DictConfig) -> dict[str, Any]:
    """A part given by name, by file (benchmarks alone), or as changes to a preset or to the current part."""
    if group == "benchmark" and str(value).endswith((".yaml", ".yml")):
        return read_yaml(Path(value).expanduser())
    if isinstance(value, str):
        return load_option(group, value)
    if not isinstance(value, Mapping):
        raise UserError(f"{group}={value!r}: expected a name, or keys and values.")
    if "name" not in value:
        return to_mapping(current) | dict(value)
    name = str(value["name"])
    own = name in PLUGINS.get(group, {}) and name not in group_options(group)
    return dict(value) if own else load_option(group, name) | dict(value)


def _preset(group: str, name: str) -> Path:
    files = _presets(group)
    if name not in files:
        raise unknown(group, name, files)
    return files[name]


def _presets(group: str) -> dict[str, Path]:
    if group not in GROUPS:
        raise unknown("group of presets", group, GROUPS)
    if group == "benchmark":
        return benchmark_files()
    return {path.stem: path for path in sorted((resource_dir("conf") / group).glob("*.yaml"))}


def _choices(defaults: list[Any]) -> dict[str, str]:
    """Group to option of a Hydra defaults list; its entries without a group concern Hydra alone."""
    chosen: dict[str, str] = {}
    for entry in defaults:
        if isinstance(entry, Mapping):
            chosen |= {str(key).removeprefix("override ").lstrip("/"): name for key, name in entry.items()}
    return chosen
