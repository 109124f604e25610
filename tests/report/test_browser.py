"""The page as a browser shows it."""

import pytest

from ktnas.report.page import write_report
from tests.report.browser import CHROMIUM, Browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
FRONT = "document.querySelector('#c0f1')"
PLOTTED = f"{FRONT}.querySelectorAll('.scatterlayer .trace').length > 0"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def page(write_run, evaluations, tmp_path):
    rows = [
        *evaluations("cifar10", "source", 8),
        *evaluations("cifar100", "target", 20, first=8, predicted=True),
    ]
    return write_report([write_run("run", rows, source=["cifar10"])]).resolve()


def place_of(browser, point):
    """Where a point of the front lies in the window, and the row of its evaluation."""
    return browser.evaluate(
        f"""(() => {{
            const plot = {FRONT}, at = plot.getBoundingClientRect();
            const trace = plot._fullData.findIndex((t) => t.marker && t.marker.size === 11);
            const full = plot._fullLayout, data = plot.data[trace];
            return [at.left + full.xaxis._offset + full.xaxis.d2p(data.x[{point}]),
                    at.top + full.yaxis._offset + full.yaxis.d2p(data.y[{point}]), data.customdata[{point}]];
        }})()"""
    )


def architecture(browser, row):
    return browser.evaluate(f"data_.tables['0/cifar100'].architecture[{row}]")


@pytest.mark.parametrize(("width", "height", "touch"), [(1280, 900, False), (390, 844, True)])
def test_table_hover_click_and_a_quiet_console(browser, page, width, height, touch):
    browser.open(page, width, height, touch)
    browser.evaluate("window.data_ = JSON.parse(document.getElementById('data').textContent), 0")
    browser.evaluate(f"{FRONT}.scrollIntoView({{block: 'center'}})")
    browser.wait(PLOTTED)

    table = browser.evaluate("document.querySelector('.front').innerText")
    assert "latency on phone (ms)" in table
    assert browser.evaluate("document.querySelectorAll('.front tbody tr').length") > 1
    assert browser.evaluate("document.querySelector('.panel svg').getAttribute('aria-label')") in table

    x, y, row = place_of(browser, 1)
    chosen = architecture(browser, row)
    browser.move(x + 1, y + 1)
    browser.move(x, y)
    browser.wait(f"{FRONT}.querySelector('.hoverlayer .hovertext')")
    hover = browser.evaluate(f"{FRONT}.querySelector('.hoverlayer').textContent")
    assert chosen in hover
    assert "latency on phone (ms)" in hover
    browser.click(x, y)
    browser.wait(f"document.querySelector('.panel svg').getAttribute('aria-label') === {chosen!r}")
    assert browser.evaluate("document.querySelector('tr.chosen button').textContent") == chosen

    last = "document.querySelector('.front tbody tr:last-child')"
    browser.evaluate(f"{last}.querySelector('button').click()")
    drawn = browser.evaluate("document.querySelector('.panel svg').getAttribute('aria-label')")
    assert drawn == browser.evaluate(f"{last}.querySelector('button').textContent")

    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.problems == []
    assert browser.requests == [page.as_uri()]
