"""From files of a user to an imported benchmark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ktnas.errors import UserError, unknown
from ktnas.imports import delimited, help_latency, hw_nas_bench, nats_bench, store, suite_zero, transnas
from ktnas.imports.merge import merge
from ktnas.imports.part import ARCH, Part, Request
from ktnas.imports.source import Source, digest, open_source
from ktnas.imports.store import Imported


@dataclass(frozen=True)
class Format:
    """How the files of one publication are known and read.

    Attributes:
        title: who publishes it.
        recognises: whether a file is of this format.
        read: its part of a benchmark; ``UserError`` for any other content.
    """

    title: str
    recognises: Callable[[Source], bool]
    read: Callable[[list[Source], Request], Part]


FORMATS: dict[str, Format] = {
    suite_zero.NAME: Format("NAS-Bench-Suite-Zero", suite_zero.recognises, suite_zero.read),
    help_latency.NAME: Format("HELP", help_latency.recognises, help_latency.read),
    nats_bench.NAME: Format("NATS-Bench", nats_bench.recognises, nats_bench.read),
    hw_nas_bench.NAME: Format("HW-NAS-Bench", hw_nas_bench.recognises, hw_nas_bench.read),
    transnas.NAME: Format("TransNAS-Bench-101", transnas.recognises, transnas.read),
    delimited.MTLP_JR: Format("MTLP-JR", delimited.recognises_mtlp_jr, delimited.read_mtlp_jr),
    delimited.CSV: Format("a CSV file", delimited.recognises_csv, delimited.read_csv),
}
"""By name, in the order in which a file is tried."""


def import_benchmark(
    files: Sequence[Path],
    name: str,
    *,
    format: str | None = None,
    space: str | None = None,
    tasks: Sequence[str] = (),
    devices: Sequence[str] = (),
    arch: str = ARCH,
    replace: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Imported:
    """Read published files, check them and keep them as the benchmark ``name``.

    Args:
        files: of one space; scores and latencies may come from different files.
        name: what the benchmark is called from now on.
        format: one of ``FORMATS``, of all files; None finds it out from their contents.
        space: name or YAML file of the space, where the files do not tell.
        tasks: the tasks to keep; all where empty.
        devices: columns of latencies in CSV files, in ms.
        arch: column of architectures in CSV files.
        replace: whether an imported benchmark of that name is replaced.
        say: told what is being read.

    Raises:
        UserError: a name that is taken or cannot be used, a directory that cannot be written, and whatever
            is wrong with the files. Nothing has been written then.
    """
    store.check_name(name, replace)
    if not files:
        raise UserError("Name at least one file to import.")
    if format is not None and format not in FORMATS:
        raise unknown("format", format, FORMATS)
    request = Request(space, arch, tuple(dict.fromkeys(devices)), say)
    groups: dict[str, list[Source]] = {}
    for path in files:
        say(f"Reading {path.name}")
        source = open_source(path)
        groups.setdefault(format or recognised(source), []).append(source)
    if devices and delimited.CSV not in groups:
        raise UserError("--device names columns of a plain CSV file, and there is none.")
    parts = []
    for key in [key for key in FORMATS if key in groups]:
        say(f"Reading {FORMATS[key].title}")
        part = FORMATS[key].read(groups[key], request)
        if space is not None and part.space != space:
            raise UserError(f"{part.origin} is of the space {part.space}, not of {space}.")
        parts.append(part)
    say("Checking")
    merged = merge(parts, tasks)
    title = " and ".join(FORMATS[key].title for key in dict.fromkeys(merged.formats))
    return store.write(name, merged, title, [digest(path) for path in files], replace)


def recognised(source: Source) -> str:
    """Name of the format that a file is of; ``UserError`` where there is none."""
    for name, known in FORMATS.items():
        if known.recognises(source):
            return name
    if source.kind == "directory":
        raise UserError(f"{source} is a directory, but not NATS-Bench's: it has no {nats_bench.META}.")
    raise UserError(
        f"{source} is a {source.kind} file, but of none of the formats that are read: it holds "
        f"{_shape(source.content)}. Formats: {', '.join(FORMATS)}."
    )


def _shape(content: object) -> str:
    """What a file holds, in a few words."""
    if isinstance(content, dict):
        keys = ", ".join(str(key)[:30] for key in list(content)[:4])
        return f"{len(content):,} keys ({keys}{', …' if len(content) > 4 else ''})"
    if isinstance(content, list):
        return f"a list of {len(content):,} values"
    return f"a {type(content).__name__}"
