"""A terminal's text becomes well-formed SVG: every braille dot is there, colours and hostile text survive."""

import re
import xml.etree.ElementTree as ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from mmrl.plots import raster
from mmrl.plots.axes import EPOCHS
from mmrl.plots.colours import THINGS
from mmrl.plots.svg import BAR, MARGIN, TALL, WIDE, Stretch, hue, runs, screen_svg, terminal_svg


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=40))
@settings(deadline=None)
def test_any_text_is_well_formed(text: str) -> None:
    if all(ord(letter) not in (0xFFFE, 0xFFFF) for letter in text):
        ElementTree.fromstring(terminal_svg(text, 80, text))


def test_every_dot_is_drawn() -> None:
    picture = raster.chart([raster.Curve(range(50), range(50), colour=32)], "<t> & 'x'", 60, 20, EPOCHS)
    text = "\n".join(picture.lines())
    svg = terminal_svg(text, 60, "a < b")
    expected = sum((ord(c) - 0x2800).bit_count() for c in text if "\u2800" <= c <= "\u28ff")
    assert svg.count("h0") == expected
    assert hue(32) in svg
    assert "&lt;t&gt;" in svg


def test_colours() -> None:
    assert runs("a\x1b[38;5;196mb\x1b[39mc")[1] == Stretch("b", "#ff0000")
    assert hue(THINGS["bid"].number) == THINGS["bid"].dark
    assert [hue(n) for n in (0, 231, 232, 255)] == ["#000000", "#ffffff", "#080808", "#eeeeee"]


def places(svg: str) -> dict[tuple[int, int], str]:
    """The letters of a picture by column and row; fails where one stands between cells."""
    found: dict[tuple[int, int], str] = {}
    root = ElementTree.fromstring(svg)
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        if text.get("text-anchor"):
            continue
        row = (float(text.get("y", "")) - 0.76 * TALL - BAR) / TALL
        lefts = [float(x) for x in text.get("x", "").split()]
        letters = text.text or ""
        assert len(lefts) == len(letters) or len(lefts) == 1
        assert "textLength" not in text.attrib
        for left, letter in zip(lefts, letters, strict=False):
            column = (left - MARGIN) / WIDE
            assert abs(column - round(column)) < 0.02 and abs(row - round(row)) < 0.02
            found[round(column), round(row)] = letter
    return found


def test_every_letter_stands_at_its_cell() -> None:
    lines = ["a bc  \x1b[38;5;32mde…f\x1b[39m ⣿▶g ┤h█", "", "   漢字 x", " 100%  é ±"]
    expected = {}
    for row, line in enumerate(re.sub(r"\x1b[^m]*m", "", text) for text in lines):
        column = 0
        for letter in line:
            if letter not in " ⣿┤█":
                expected[column, row] = letter
            column += cell_len(letter)
    assert places(terminal_svg("\n".join(lines), 30, "t")) == expected


def test_boxes_blocks_and_grounds_are_drawn() -> None:
    rows = [
        [Stretch("█▌", "#111111"), Stretch("▒", "#222222"), Stretch("━┊", "#333333"), Stretch(" x", ground="#444444")]
    ]
    svg = screen_svg(rows, 10, "t")
    left = MARGIN + WIDE
    assert f"M{MARGIN:g} {BAR:g}h{WIDE:g}v{TALL:g}" in svg  # the full block
    assert f"M{left:g} {BAR:g}h{WIDE / 2:g}v{TALL:g}" in svg  # its left half
    assert 'fill="#222222" opacity="0.5"' in svg and 'stroke="#333333" stroke-width="2.6"' in svg
    assert f'fill="#444444" d="M{MARGIN + 5 * WIDE:g} {BAR:g}h{2 * WIDE:g}' in svg
    assert places(svg) == {(6, 0): "x"}
