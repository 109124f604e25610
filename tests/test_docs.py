"""Every command and every Python block of the documentation runs, in the order of its page.

A page's blocks share one directory. A block that is not to be run stands below ``<!-- not run: reason -->``.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if page.exists()]
BLOCK = re.compile(
    r"(?P<skip><!-- not run: .+? -->\s*\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S
)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


@dataclass(frozen=True)
class Block:
    line: int
    language: str
    code: str

    def command(self):
        if self.language == "python":
            return [sys.executable, "-c", self.code]
        return ["bash", "-euo", "pipefail", "-c", self.code]


def blocks(page):
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        language, code = match["language"], match["code"]
        if language == "console":
            code = "\n".join(re.findall(r"^\$ ((?:.*\\\n)*.*)$", code, flags=re.M))
        if language in ("console", "bash", "python") and not match["skip"]:
            yield Block(text.count("\n", 0, match.start("code")) + 1, language, code)


def name(page):
    return str(page.relative_to(ROOT))


@pytest.fixture
def environment(tmp_path):
    """The caller's environment, with the ``ktnas``, ``python`` and ``dask`` of the tests, and their data."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for command, target in (
        ("ktnas", f"{sys.executable} -m ktnas"),
        ("python", sys.executable),
        ("dask", f"{sys.executable} -m dask"),
    ):
        (tools / command).write_text(f'#!/bin/sh\nexec {target} "$@"\n')
        (tools / command).chmod(0o755)
    data = os.environ.get("KTNAS_DATA", str(ROOT.parent / "shared" / "data"))
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "KTNAS_DATA": data, "PYTHONPATH": str(ROOT)}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page))], ids=name)
def test_examples_run(page, environment, tmp_path):
    place = tmp_path / "work"
    place.mkdir()
    for block in blocks(page):
        done = subprocess.run(
            block.command(), cwd=place, env=environment, capture_output=True, text=True, timeout=300
        )
        where = f"{name(page)}, line {block.line}"
        assert done.returncode == 0, f"{where}:\n{block.code}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    targets = LINK.findall(page.read_text(encoding="utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []
