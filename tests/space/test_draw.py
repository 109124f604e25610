from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch

from ktnas.errors import UserError
from ktnas.space import Architecture, list_spaces, load_space
from ktnas.space.draw import _figure
from ktnas.space.layout import PASSAGE, layered_layout


def some_architectures():
    for name in list_spaces():
        space = load_space(name)
        for genotype in space.sample(25, np.random.default_rng(0)):
            yield Architecture(space, genotype)


@pytest.mark.parametrize("pruned", [False, True])
def test_nothing_overlaps_in_a_layer(pruned):
    for architecture in some_architectures():
        graph = architecture.graph(pruned)
        first, last = min(graph), max(graph)
        layout = layered_layout(graph, first, last)
        assert set(layout.nodes) == set(graph)
        assert set(layout.edges) == set(graph.edges())
        assert layout.nodes[first][0] == 0
        assert all(layout.nodes[last][0] > layer for node, (layer, _) in layout.nodes.items() if node != last)
        lines = []
        for (source, target), points in layout.edges.items():
            assert points[0] == layout.nodes[source]
            assert points[-1] == layout.nodes[target]
            assert all(after[0] == before[0] + 1 for before, after in pairwise(points))
            lines += points[1:-1]
        for a, b in combinations(layout.nodes.values(), 2):
            assert a[0] != b[0] or abs(a[1] - b[1]) > 1 - 1e-9
        for i, line in enumerate(lines):
            for other in (*layout.nodes.values(), *lines[:i]):
                assert line[0] != other[0] or abs(line[1] - other[1]) > PASSAGE - 1e-9


def test_crossings_that_need_not_be_are_avoided():
    graph = nx.MultiDiGraph([(0, 1), (0, 2), (1, 4), (2, 3), (3, 5), (4, 5)])
    heights = {node: height for node, (_, height) in layered_layout(graph, 0, 5).nodes.items()}
    assert (heights[1] - heights[2]) * (heights[4] - heights[3]) > 0


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("name", list_spaces())
def test_labels_fit_their_boxes_and_the_page(name, pruned):
    space = load_space(name)
    figure = _figure(space.architecture(space.example), pruned)
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [p.get_window_extent(renderer) for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
    caption, *labels = figure.axes[0].texts
    for text in labels:
        if text.get_text().startswith("×"):
            continue
        extent = text.get_window_extent(renderer)
        assert (
            sum(box.x0 < extent.x0 and extent.x1 < box.x1 and box.y0 < extent.y0 < box.y1 for box in boxes)
            == 1
        )
    extent = caption.get_window_extent(renderer)
    assert extent.x0 > 0
    assert extent.x1 < figure.bbox.width
    assert extent.y1 < figure.bbox.height
    assert not any(box.overlaps(extent) for box in boxes)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


@pytest.mark.parametrize("suffix", [".svg", ".png", ".SVG"])
def test_the_same_architecture_gives_the_same_file(tmp_path, suffix):
    space = load_space("nasbench201")
    paths = [tmp_path / f"{name}{suffix}" for name in ("a", "b")]
    for path in paths:
        space.architecture(space.example).draw(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_cell_without_a_path_is_drawn(tmp_path):
    space = load_space("nasbench201")
    nothing = Architecture(space, np.zeros(6, dtype=np.int64))
    for pruned in (False, True):
        nothing.draw(tmp_path / "cell.svg", pruned)


@pytest.mark.parametrize("name", ["cell.pdf", "cell", "nowhere/cell.svg", ""])
def test_a_file_that_cannot_be_is_refused(tmp_path, name):
    space = load_space("nasbench201")
    with pytest.raises(UserError, match=r"Cannot (draw|write)"):
        space.architecture(space.example).draw(tmp_path / name)
