"""The page: whole, self-contained, safe, and saying what the figures say."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.streams.evaluating import circles, small_settings, table

from millstream.streams.errors import WorldMissing
from millstream.streams.evaluate import Plan, evaluate
from millstream.streams.evaluation_json import Asked
from millstream.streams.report import report, write_report
from millstream.streams.svg import Bar, Line, bar_plot, line_plot, nice_ticks

ASKED = Asked("prequential", 32, 1, 0, "value>=4", None, 300, ["pairs.width=32"])
VOID = {"meta", "br", "path", "rect", "circle"}
NASTY = "<script>alert('x')</script>\"&.csv"


class Page(HTMLParser):
    """What is in a page, every tag closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.cells: list[str] = []
        self.headings: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("td", "th"):
            self.cells.append(data)
        if self._open and re.fullmatch(r"h[1-6]", self._open[-1]):
            self.headings.append(data)


@pytest.fixture(scope="module")
def text() -> str:
    found = evaluate(circles(600), small_settings(), Plan(lists=True))
    return report(NASTY, found, ASKED, "a machine")


def test_every_plot_has_its_heading_and_its_numbers(text: str) -> None:
    page = Page(text)
    assert page.tags["svg"] == page.tags["figure"] == page.tags["details"] == 10
    for said in (
        "Recall@10 over time",
        "Recall@10, fused and by source",
        "Recall@10 by profile length",
        "Recall@10 by item age",
        "Coverage over time",
        "Intra-list distance",
        "Novelty, in bits",
        "How evenly items are listed",
        "Time an event",
        "The run",
    ):
        assert said in page.headings
    assert page.tags["h1"] == 1


def test_it_asks_nothing_of_anybody(text: str) -> None:
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|<link|<img|<iframe", text)
    names = {name for name, _ in Page(text).attributes}
    assert names.isdisjoint({"src", "href", "srcset", "style", "action", "data", "poster"})
    assert not any(name.startswith("on") for name in names)
    assert "default-src 'none'" in text


def test_names_from_outside_are_text(text: str) -> None:
    assert "<script" not in text
    assert NASTY in "".join(Page(text).headings)
    nasty = Asked("prequential", 32, 1, 0, "a<'&\"b>", None, None, ["<b>"])
    found = evaluate(circles(60), small_settings())
    page = Page(report("x", found, nasty, "<i>"))
    assert {"a<'&\"b>", "<b>", "<i>"} <= set(page.cells)
    assert page.tags["b"] == page.tags["i"] == 0


def test_its_figures_are_those_of_the_evaluation(text: str) -> None:
    found = evaluate(circles(600), small_settings(), Plan(lists=True))
    cells = Page(text).cells
    for name in found.ranks:
        assert f"{found.figures(name)['recall@10']:.4f}" in cells
        assert name in cells
    assert found.lists is not None
    for value in found.lists.figures().values():
        assert f"{value:.4f}" in cells
    assert found.fingerprint in cells


def test_light_and_dark_are_both_there(text: str) -> None:
    assert "prefers-color-scheme: dark" in text
    assert "color-scheme: light dark" in text
    used = set(re.findall(r"var\((--\w+)\)", text))
    assert used <= set(re.findall(r"(--\w+):", text))


@pytest.mark.parametrize("count", [0, 1, 12])
def test_little_or_nothing_scored_is_still_a_page(count: int) -> None:
    found = evaluate(circles(count, people=1), small_settings(), Plan(lists=True))
    page = report("few", found, ASKED, "m")
    Page(page)
    assert ("Nothing was scored" in page) == (found.scored == 0)
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)


def test_without_sources_and_lists_there_is_less_of_it() -> None:
    found = evaluate(circles(), small_settings(), Plan(sources=False))
    page = Page(report("fused only", found, ASKED, "m"))
    assert "Coverage over time" not in page.headings
    assert "Recall@10 over time" in page.headings


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    found = evaluate(table([("u", "a")]), small_settings())
    write_report(tmp_path / "r.html", "d", found, ASKED, "m")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    with pytest.raises(WorldMissing, match="cannot be written"):
        write_report(tmp_path / "none" / "r.html", "d", found, ASKED, "m")


def points(svg: str, class_: str) -> list[tuple[float, float]]:
    (path,) = [e for e in ElementTree.fromstring(svg).iter("path") if e.get("class") == class_]
    return [
        (float(x), float(y))
        for x, y in (one.split() for one in (path.get("d") or "")[1:].split("L"))
    ]


def test_a_line_rises_where_its_values_do_and_leaves_out_what_is_not_there() -> None:
    svg = line_plot("t", [Line("a", [0.1, None, 0.2, 0.3])], ["1", "2", "3", "4"], "x")
    line = points(svg, "s0")
    assert len(line) == 3
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert [y for _, y in line] == sorted((y for _, y in line), reverse=True)


def test_a_bar_is_as_long_as_its_value_and_a_wide_interval_flattens_nothing() -> None:
    svg = bar_plot("t", [Bar("a", 0.2, 0.1, 0.25), Bar("b", 0.1, 0.0, 0.99)])
    widths = [float(r.get("width") or 0) for r in ElementTree.fromstring(svg).iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    assert widths[0] > 200


@pytest.mark.parametrize("highest", [0.0, 1e-9, 0.07, 0.2, 1.0, 7.7, 99.9, 123_456.0, float("nan")])
def test_ticks_go_from_0_to_what_must_be_shown(highest: float) -> None:
    ticks = nice_ticks(highest)
    assert ticks[0] == 0.0
    assert 2 <= len(ticks) <= 7
    assert not highest > ticks[-1] * (1 + 1e-9)


def test_plots_of_nothing_are_plots() -> None:
    for svg in (
        line_plot("<t>", [], [], "x"),
        bar_plot('"', []),
        line_plot("t", [Line("a", [0.0])], ["1"], "x"),
    ):
        ElementTree.fromstring(svg)
