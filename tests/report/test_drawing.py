from xml.etree import ElementTree

from ktnas.report.drawing import drawings
from ktnas.space import load_space

SPACE = load_space("nasbench_graph")
TEXT = "Arch([0, 0, 1, 2], ['gcn', 'skip', 'gat', 'fc'])"


def test_a_drawing_stands_inside_a_page():
    found = drawings(SPACE, [TEXT, TEXT, "Arch([9], ['gcn'])"])

    assert list(found) == [TEXT]
    picture = ElementTree.fromstring(found[TEXT])
    assert picture.tag == "svg"
    assert picture.get("aria-label") == TEXT
    written = [element.text.strip() for element in picture.iter("text")]
    assert {"input", "output", "gcn", "skip", "gat", "fc"} <= set(written)
    assert not [element for element in picture.iter() if element.get("id") or element.tag == "style"]
    assert drawings(SPACE, [TEXT]) == found
