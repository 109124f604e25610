"""The command that makes a run again."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from ktnas.engine.config import plain_config
from ktnas.engine.schema import PARTS
from ktnas.errors import UserError
from ktnas.presets import compose
from ktnas.record.ledger import RunRecord
from ktnas.record.status import is_of_script

DEFAULTS = {"algorithm": "ktnas", "benchmark": "nasbench_graph"}
BARE = re.compile(r"[A-Za-z_][\w./:+-]*")
WORDS = frozenset({"null", "true", "false", "nan", "inf"})


def reproduction(record: RunRecord) -> str:
    """Shell commands that search anew what a run has searched, or what to do where there are none."""
    config = record.description.config
    if is_of_script(config):
        return "# its functions are those of a script: run the script again, with another run_dir"
    command = search_command(deciding(record))
    if command is not None:
        return command
    run = shlex.quote(str(record.run_dir / "config.yaml"))
    return f"mkdir again && cp {run} again/\nktnas search resume=again"


def deciding(record: RunRecord) -> dict[str, Any]:
    """The configuration of a run without the keys that do not decide its rows."""
    return {key: value for key, value in record.description.config.items() if key in record.fingerprint}


def search_command(config: Mapping[str, Any], **changes: str) -> str | None:
    """The ``ktnas search`` whose configuration has all of ``config``; None where presets compose to no such.

    Args:
        config: of a run, in plain types; keys may be missing.
        changes: said last, as ``key=value``.
    """
    try:
        chosen = {"algorithm": config["algorithm"], "benchmark": config["benchmark"]["name"]}
        base = plain_config(compose(**chosen))
        parts = {
            part: config[part]["name"]
            for part in PARTS
            if part != "benchmark" and part in config and config[part]["name"] != base[part].get("name")
        }
        base = plain_config(compose(**chosen, overrides=parts))
        differences = list(_differences(base, config))
        overrides = {key: value for key, _, value in differences}
        composed = plain_config(compose(**chosen, overrides=parts | overrides))
        if any(composed[key] != value for key, value in config.items()):
            return None
    except (UserError, KeyError, TypeError, AttributeError):
        return None
    words = [f"{key}={name}" for key, name in chosen.items() if name != DEFAULTS[key]]
    words += [f"{key}={name}" for key, name in parts.items()]
    words += [
        f"{'+' * new}{key}={hydra_text(value)}" for key, new, value in differences if key not in changes
    ]
    words += [f"{key}={value}" for key, value in changes.items()]
    return " ".join(["ktnas search", *map(shlex.quote, words)])


def _differences(
    base: Mapping[str, Any], config: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, bool, Any]]:
    """Dotted key, whether ``base`` lacks it, and value, of all that differs."""
    for name, value in config.items():
        before = base.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            yield from _differences(before, value, f"{above}{name}.")
        elif name not in base or before != value:
            yield f"{above}{name}", name not in base, value


def hydra_text(value: Any) -> str:
    """``value`` as the right side of an override."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{hydra_text(str(k))}:{hydra_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(hydra_text, value)) + "]"
    if isinstance(value, str) and not (BARE.fullmatch(value) and value.lower() not in WORDS):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return value if isinstance(value, str) else json.dumps(value)
