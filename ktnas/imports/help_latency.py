"""HELP: latencies of NAS-Bench-201 and FBNet on many devices.

Lee et al., HELP: Hardware-Adaptive Efficient Latency Prediction for NAS via Meta-Learning, NeurIPS 2021. A
list of latencies in ms per device, saved by torch. Their order is that of another file: ``str_arch2idx.pt``,
a dict from official text to position, for NAS-Bench-201; ``metainfo.pt``, with ``arch``, a list of dicts with
``op_idx_list``, for FBNet.
"""

from typing import Any

import pandas as pd

from ktnas.errors import UserError
from ktnas.imports.part import ARCH, EVERY_TASK, Part, Request, latencies_in_ms
from ktnas.imports.source import Source
from ktnas.space import load_space

NAME = "help"
INDEX = "str_arch2idx.pt (NAS-Bench-201) or metainfo.pt (FBNet)"


def recognises(source: Source) -> bool:
    """Whether the file was saved by torch and holds a list of numbers or an index of architectures."""
    return source.kind == "torch" and (_is_list(source.content) or _is_index(source.content))


def read(sources: list[Source], request: Request) -> Part:
    """Latencies in ms on every device, called as its file without ``help_`` and the name of the space.

    Raises:
        UserError: lists without their index or an index alone, lists of another length, other contents,
            values that are no latencies in ms.
    """
    for source in sources:
        if not _is_list(source.content) and not _is_index(source.content):
            raise UserError(f"{source} is no file of HELP: neither a list of latencies nor their index.")
    lists = [source for source in sources if _is_list(source.content)]
    indices = [source for source in sources if _is_index(source.content)]
    if not lists:
        raise UserError(
            f"{indices[0]} is the index of HELP's latencies, not latencies. Name the files of devices, too."
        )
    if len(indices) != 1:
        raise UserError(
            f"{lists[0]} is a list of {len(lists[0].content):,} numbers, as HELP has for a device, and says "
            f"nothing of architectures. Name their index in the same command, once: {INDEX}."
        )
    space, texts = _architectures(indices[0])
    columns: dict[str, Any] = {ARCH: texts}
    for source in lists:
        device = source.name.removeprefix("help_").removeprefix(f"{space}_")
        if len(source.content) != len(texts):
            raise UserError(
                f"{source} holds {len(source.content):,} numbers, but {indices[0]} has {len(texts):,} "
                f"architectures of {space}. Is one of them of another space?"
            )
        if device in columns:
            raise UserError(f"{source}: there are two files of the device '{device}'.")
        columns[device] = latencies_in_ms(source.content, str(source))
    return Part(
        origin=", ".join(map(str, sources)),
        format=NAME,
        space=space,
        latencies={EVERY_TASK: pd.DataFrame(columns)},
    )


def _is_list(content: Any) -> bool:
    if hasattr(content, "ndim"):
        return bool(content.ndim == 1)
    return isinstance(content, list) and all(type(value) in (int, float) for value in content[:10])


def _is_index(content: Any) -> bool:
    if not isinstance(content, dict) or not content:
        return False
    if set(content) >= {"arch"}:
        return isinstance(content["arch"], list)
    return all(isinstance(key, str) and type(value) is int for key, value in content.items())


def _architectures(index: Source) -> tuple[str, list[str]]:
    """Space and the texts in the order of the lists."""
    content = index.content
    if "arch" not in content:
        if sorted(content.values()) != list(range(len(content))):
            raise UserError(f"{index}: the positions are not 0 to {len(content) - 1}, each once.")
        return "nasbench201", sorted(content, key=content.__getitem__)
    operations = load_space("fbnet").symbols
    texts = []
    for position, entry in enumerate(content["arch"]):
        numbers = entry.get("op_idx_list") if isinstance(entry, dict) else None
        if not isinstance(numbers, list) or not all(
            type(number) is int and 0 <= number < len(operations) for number in numbers
        ):
            raise UserError(
                f"{index}: architecture {position + 1} has no 'op_idx_list' of numbers "
                f"below {len(operations)}."
            )
        texts.append("|".join(operations[number] for number in numbers))
    return "fbnet", texts
