"""Pictures of architectures as SVG that stands inside a page."""

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib

from ktnas.errors import UserError
from ktnas.space import SearchSpace

SCALE = 0.8
"""CSS pixels per point below which a drawing is scrolled rather than shrunk."""

UNUSED = re.compile(
    r'<metadata>.*?</metadata>|<defs>.*?</defs>|<!--.*?-->| (?:id|clip-path|xmlns\S*|version)="[^"]*"',
    re.DOTALL,
)
SIZE = re.compile(r'width="([\d.]+)pt" height="[\d.]+pt"')


def drawings(space: SearchSpace, texts: Iterable[str]) -> dict[str, str]:
    """SVG element of each text that the space can read, by text."""
    found = {}
    with (
        TemporaryDirectory(prefix="ktnas-report-") as scratch,
        matplotlib.rc_context({"svg.fonttype": "none"}),
    ):
        path = Path(scratch) / "cell.svg"
        for text in dict.fromkeys(texts):
            try:
                space.architecture(text).draw(path)
            except UserError:  # of another version of the space
                continue
            found[text] = inline(path.read_text(encoding="utf-8"), text)
    return found


def inline(document: str, label: str) -> str:
    """The ``<svg>`` element of a document of matplotlib's, without what a page does not need."""
    element = UNUSED.sub("", document[document.index("<svg") :])
    element = re.sub(r"\s+", " ", element).replace("> <", "><").strip()
    element = SIZE.sub(lambda size: f'style="min-width:{float(size[1]) * SCALE:.0f}px"', element, count=1)
    return element.replace("<svg", f'<svg role="img" aria-label="{escape(label, quote=True)}"', 1)
