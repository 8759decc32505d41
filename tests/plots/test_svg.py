"""A terminal's text becomes well-formed SVG: every braille dot is there, colours and hostile text survive."""

import xml.etree.ElementTree as ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.plots import raster
from mmrl.plots.axes import EPOCHS
from mmrl.plots.svg import hue, runs, terminal_svg


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
    assert runs("a\x1b[38;5;196mb\x1b[39mc")[1] == ("b", "#ff0000")
    assert [hue(n) for n in (0, 231, 232, 255)] == ["#000000", "#ffffff", "#080808", "#eeeeee"]
