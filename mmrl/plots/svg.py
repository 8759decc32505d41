"""Terminal screens as SVG: every letter at its cell; braille as dots, boxes as lines and blocks as areas, so that no
font can misplace them. Pictures of the docs, `mmrl plot --save` and screenshots of the terminal UI are written here."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from rich.cells import cell_len

from mmrl.plots.colours import HUES

WIDE, TALL, MARGIN, BAR = 8.4, 17.0, 14.0, 30.0  # a cell, the margin and the title bar, in pixels
BACKGROUND, FOREGROUND = "#12161d", "#d6dbe2"
FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"
_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")
# up, down, left, right
_BOXES = {
    "│": "ud", "─": "lr", "┤": "udl", "├": "udr", "┬": "dlr", "┴": "ulr",
    "└": "ur", "┘": "ul", "┌": "dr", "┐": "dl", "┼": "udlr",
    "╰": "ur", "╯": "ul", "╭": "dr", "╮": "dl", "╴": "l", "╵": "u", "╶": "r", "╷": "d",
}  # fmt: skip
_HEAVY = {"┃": "ud", "━": "lr", "┗": "ur", "┛": "ul", "┏": "dr", "┓": "dl", "╸": "l", "╹": "u", "╺": "r", "╻": "d"}
_DASHED = {"┆": 3, "┊": 4}
_SHADES = {"░": 0.25, "▒": 0.5, "▓": 0.75}
_QUADRANTS = dict(zip("▖▗▘▙▚▛▜▝▞▟", ("c", "d", "a", "acd", "ad", "abc", "abd", "b", "bc", "bcd"), strict=True))
_DOTS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]  # column, row of each braille bit
_OF_TABLE = {hue.number: hue.dark for hue in HUES}


@dataclass(frozen=True)
class Stretch:
    """Letters beside each other that look alike; colours as hexadecimal RGB, no ground is that of the picture."""

    text: str
    colour: str = FOREGROUND
    ground: str = ""
    bold: bool = False
    italic: bool = False
    underline: bool = False


@dataclass
class _Parts:
    """What a picture is made of, by colour."""

    grounds: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    dots: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    boxes: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    areas: dict[tuple[str, float], list[str]] = field(default_factory=lambda: defaultdict(list))
    words: list[str] = field(default_factory=list)


def hue(number: int) -> str:
    """One of the 256 terminal colours as hexadecimal RGB; those of things as on a dark screen of the terminal UI."""
    if number in _OF_TABLE:
        return _OF_TABLE[number]
    if number < 16:
        bright = 255 if number > 7 else 190
        return "#" + "".join(f"{bright if number >> bit & 1 else 0:02x}" for bit in range(3))
    if number > 231:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    number -= 16
    parts = (number // 36, number // 6 % 6, number % 6)
    return "#" + "".join(f"{0 if part == 0 else 55 + 40 * part:02x}" for part in parts)


def runs(line: str) -> list[Stretch]:
    """A line with escapes for colours as stretches."""
    found, colour, at = [], FOREGROUND, 0
    for match in _COLOUR.finditer(line):
        if match.start() > at:
            found.append(Stretch(line[at : match.start()], colour))
        at = match.end()
        codes = match[1].split(";")
        if codes[:2] == ["38", "5"] and len(codes) == 3:
            colour = hue(int(codes[2]))
        elif match[1] in ("", "0", "39"):
            colour = FOREGROUND
    if at < len(line):
        found.append(Stretch(line[at:], colour))
    return found


def terminal_svg(text: str, width: int, title: str) -> str:
    """An SVG picture of a terminal, `width` columns wide, that shows a text with colour escapes."""
    return screen_svg([runs(line) for line in text.split("\n")], width, title)


def screen_svg(
    rows: Sequence[Sequence[Stretch]],
    width: int,
    title: str,
    background: str = BACKGROUND,
    foreground: str = FOREGROUND,
) -> str:
    """An SVG picture of rows of a terminal, `width` columns wide, in a window with a title."""
    wide, tall = width * WIDE + 2 * MARGIN, len(rows) * TALL + BAR + MARGIN
    parts = _Parts()
    for number, row in enumerate(rows):
        _draw(parts, row, BAR + number * TALL)
    lights = zip((18, 36, 54), ("#e0645c", "#e0b04c", "#5cb860"), strict=True)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.6g} {tall:.6g}" width="{wide:.6g}" '
            f'font-family="{FONT}" font-size="13.6">',
            f"<title>{escape(title)}</title>",
            f'<rect width="100%" height="100%" rx="8" fill="{background}"/>',
            *(f'<circle cx="{x}" cy="15" r="5" fill="{colour}"/>' for x, colour in lights),
            f'<text x="{wide / 2:.6g}" y="19.5" text-anchor="middle" fill="{foreground}" opacity="0.7">'
            f"{escape(title)}</text>",
            '<g shape-rendering="crispEdges">',
            *(f'<path fill="{colour}" d="{"".join(d)}"/>' for colour, d in parts.grounds.items()),
            *(f'<path fill="{c}" opacity="{share:g}" d="{"".join(d)}"/>' for (c, share), d in parts.areas.items()),
            '</g><g fill="none" stroke-linecap="round" stroke-width="2.7">',
            *(f'<path stroke="{colour}" d="{"".join(d)}"/>' for colour, d in parts.dots.items()),
            '</g><g fill="none" opacity="0.75">',
            *(f'<path stroke="{c}" stroke-width="{w}" d="{"".join(d)}"/>' for (c, w), d in parts.boxes.items()),
            "</g>",
            *parts.words,
            "</svg>",
            "",
        ]
    )


def _draw(parts: _Parts, row: Sequence[Stretch], top: float) -> None:
    """Add a row of cells whose upper edge is `top`."""
    column = 0
    for stretch in row:
        if stretch.ground:
            width = cell_len(stretch.text) * WIDE
            left = MARGIN + column * WIDE
            parts.grounds[stretch.ground].append(f"M{left:.6g} {top:.6g}h{width:.6g}v{TALL:g}h{-width:.6g}z")
        letters: list[tuple[float, str]] = []
        for letter, cells in _letters(stretch.text):
            left = MARGIN + column * WIDE
            column += cells
            if _drawn(parts, letter, stretch.colour, left, top) or letter.isspace():
                continue
            if cells == 1 and len(letter) == 1 and ord(letter) < 0x10000:
                letters.append((left, letter))
            else:  # two cells wide, or of more than one code: a place in a list of places is unclear
                parts.words.append(_text([(left, letter)], stretch, top))
        if letters:
            parts.words.append(_text(letters, stretch, top))


def _letters(text: str) -> Iterator[tuple[str, int]]:
    """Letters with the marks that combine with them, and how many cells they take."""
    letter = ""
    for sign in text:
        if letter and (unicodedata.combining(sign) or cell_len(sign) == 0):
            letter += sign
            continue
        if letter:
            yield letter, cell_len(letter[0])
        letter = sign
    if letter:
        yield letter, cell_len(letter[0])


def _text(letters: Sequence[tuple[float, str]], look: Stretch, top: float) -> str:
    """Letters of one look in one row, each at its own place."""
    places = " ".join(f"{left:.5g}" for left, _ in letters)
    style = ' font-weight="bold"' if look.bold else ""
    style += ' font-style="italic"' if look.italic else ""
    style += ' text-decoration="underline"' if look.underline else ""
    text = escape("".join(letter for _, letter in letters))
    return f'<text x="{places}" y="{top + 0.76 * TALL:.5g}" fill="{look.colour}"{style}>{text}</text>'


def _drawn(parts: _Parts, letter: str, colour: str, left: float, top: float) -> bool:
    """Whether a letter is a drawing, not text; then it is added."""
    if "\u2800" <= letter <= "\u28ff":
        pattern = ord(letter) - 0x2800
        for bit, (c, r) in enumerate(_DOTS):
            if pattern >> bit & 1:
                x, y = left + WIDE * (c + 0.5) / 2, top + TALL * (r + 0.5) / 4
                parts.dots[colour].append(f"M{x:.5g} {y:.5g}h0")
        return True
    x, y = left + WIDE / 2, top + TALL / 2
    ends = {"u": f"V{top:.5g}", "d": f"V{top + TALL:.5g}", "l": f"H{left:.5g}", "r": f"H{left + WIDE:.5g}"}
    for table, width in ((_BOXES, "1.1"), (_HEAVY, "2.6")):
        if letter in table:
            parts.boxes[colour, width] += [f"M{x:.5g} {y:.5g}{ends[side]}" for side in table[letter]]
            return True
    if letter in _DASHED:
        step = TALL / _DASHED[letter]
        parts.boxes[colour, "1.1"] += [f"M{x:.5g} {top + k * step:.5g}v{step / 2:.3g}" for k in range(_DASHED[letter])]
        return True
    areas, opacity = _areas(letter)
    for x0, y0, x1, y1 in areas:
        across = (x1 - x0) * WIDE
        parts.areas[colour, opacity].append(
            f"M{left + x0 * WIDE:.6g} {top + y0 * TALL:.6g}h{across:.6g}v{(y1 - y0) * TALL:.6g}h{-across:.6g}z"
        )
    return bool(areas)


def _areas(letter: str) -> tuple[list[tuple[float, float, float, float]], float]:
    """The areas of a block letter (left, top, right, bottom as shares of its cell), if it is one; their opacity."""
    if letter in _SHADES:
        return [(0, 0, 1, 1)], _SHADES[letter]
    if letter in _QUADRANTS:
        corners = {"a": (0, 0), "b": (0.5, 0), "c": (0, 0.5), "d": (0.5, 0.5)}
        return [(x, y, x + 0.5, y + 0.5) for x, y in (corners[c] for c in _QUADRANTS[letter])], 1.0
    code = ord(letter[0]) - 0x2580
    if 1 <= code <= 8:  # from below, in eighths
        return [(0, 1 - code / 8, 1, 1)], 1.0
    if 9 <= code <= 15:  # from the left
        return [(0, 0, (16 - code) / 8, 1)], 1.0
    halves = {0: (0, 0, 1, 0.5), 16: (0.5, 0, 1, 1), 20: (0, 0, 1, 0.125), 21: (0.875, 0, 1, 1)}
    return ([halves[code]] if code in halves else []), 1.0
