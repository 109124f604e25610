"""A file of a user as it is found: what kind it is by its first bytes, and its content as plain data."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ktnas.errors import UserError
from ktnas.tables.plain_pickle import TORCH_NAMES, loads_plain

UNPACK: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
}
UNPACK_ERRORS = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)
TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """One file or directory.

    Attributes:
        path: where it is.
        kind: directory, torch, pickle, json or csv.
        content: dicts, lists, numbers and texts; a frame of texts for csv; None for a directory.
    """

    path: Path
    kind: str
    content: Any

    @property
    def name(self) -> str:
        """File name without its endings."""
        return self.path.name.partition(".")[0]

    def __str__(self) -> str:
        return str(self.path)


def open_source(path: Path) -> Source:
    """Read a file; compressed ones (gzip, bzip2, xz) are decompressed.

    Raises:
        UserError: no such file, one that cannot be read, is empty, truncated, not what its first bytes say,
            or that wants to run code.
    """
    if path.is_dir():
        return Source(path, "directory", None)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except OSError as problem:
        raise UserError(f"{path} cannot be read: {problem.strerror}.") from None
    return _recognise(path, _unpacked(path, content))


def _unpacked(path: Path, content: bytes) -> bytes:
    for magic, unpack in UNPACK.items():
        if content.startswith(magic):
            try:
                return unpack(content)
            except UNPACK_ERRORS as problem:
                raise UserError(
                    f"{path} is a damaged archive, is it truncated? ({problem}) Download or copy it again."
                ) from None
    if path.suffix in (".gz", ".bz2", ".pbz2", ".xz"):
        raise UserError(f"{path} is no archive, whatever its name says: it begins with {content[:8]!r}.")
    return content


def _recognise(path: Path, content: bytes) -> Source:
    start = content[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        raise UserError(f"{path} is empty.")
    if content.startswith((b"PK\x03\x04", TORCH_LEGACY)):
        return Source(path, "torch", _read_torch(path, content))
    if content.startswith(b"\x80") or path.suffix in (".pickle", ".pkl"):  # the oldest pickles are text
        return Source(path, "pickle", loads_plain(content, str(path)))
    if start.startswith((b"{", b"[")):
        return Source(path, "json", _read_json(path, content))
    if b"\0" in content[:4096]:
        raise UserError(
            f"{path} is none of the files that are read (JSON, CSV, torch, pickle): it begins with "
            f"{content[:8]!r}."
        )
    return Source(path, "csv", _read_csv(path, content))


def _read_torch(path: Path, content: bytes) -> Any:
    """A file of torch.save, by torch's own loader of weights; numpy's numbers are Python's."""
    import torch

    try:
        with torch.serialization.safe_globals(TORCH_NAMES):
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as problem:  # torch and zipfile raise many kinds for a damaged file
        wanted = re.search(r"GLOBAL ([\w.]+\w)", str(problem))
        if wanted:
            raise UserError(
                f"Refused: {path} contains a pickle that wants to run or import '{wanted[1]}'; only plain "
                "data, numbers and texts, is read. Do not trust this file."
            ) from None
        what = "a zip archive, but no file of torch.save" if _other_zip(content) else "damaged or truncated"
        raise UserError(f"{path} is {what} ({type(problem).__name__}).") from None


def _other_zip(content: bytes) -> bool:
    try:
        names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    except Exception:  # damaged in any way
        return False
    return not any(name.endswith("data.pkl") for name in names)


def _read_json(path: Path, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise UserError(
            f"{path} begins like JSON but is not, or is truncated ({problem}). Download or copy it again."
        ) from None


def _read_csv(path: Path, content: bytes) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.BytesIO(content),
                dtype=str,
                encoding="utf-8-sig",
                index_col=False,
                keep_default_na=False,
                skipinitialspace=True,
            )
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text, expected comma-separated values in UTF-8.") from None
    except (ValueError, RuntimeError, pd.errors.ParserWarning) as problem:
        reason = " ".join(str(problem).split())
        raise UserError(f"{path} cannot be read as comma-separated values ({reason}).") from None


def digest(path: Path) -> dict[str, Any]:
    """Name, size in bytes and sha256 of a file; of a directory, the name and the number of files."""
    if path.is_dir():
        return {"name": path.name, "files": sum(1 for _ in path.iterdir())}
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}


def sha256(path: Path) -> str:
    """Checksum of a file, in hexadecimal."""
    checksum = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            checksum.update(chunk)
    return checksum.hexdigest()
