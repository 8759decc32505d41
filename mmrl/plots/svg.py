"""A terminal's text as SVG: braille as dots and boxes as lines, so that no font can misplace them."""

from __future__ import annotations

import re
from collections import defaultdict
from xml.sax.saxutils import escape

WIDE, TALL, MARGIN, BAR = 8.4, 17.0, 14.0, 30.0  # a cell, the margin and the title bar, in pixels
BACKGROUND, FOREGROUND = "#12161d", "#d6dbe2"
_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")
# up, down, left, right
_BOXES = {
    "│": "ud", "─": "lr", "┤": "udl", "├": "udr", "┬": "dlr", "┴": "ulr",
    "└": "ur", "┘": "ul", "┌": "dr", "┐": "dl", "┼": "udlr",
}  # fmt: skip
_DOTS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]  # column, row of each braille bit


def hue(number: int) -> str:
    """One of the 256 terminal colours as hexadecimal RGB."""
    if number < 16:
        bright = 255 if number > 7 else 190
        return "#" + "".join(f"{bright if number >> bit & 1 else 0:02x}" for bit in range(3))
    if number > 231:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    number -= 16
    parts = (number // 36, number // 6 % 6, number % 6)
    return "#" + "".join(f"{0 if part == 0 else 55 + 40 * part:02x}" for part in parts)


def runs(line: str) -> list[tuple[str, str]]:
    """A line with escapes as stretches of text with their colours."""
    found, colour, at = [], FOREGROUND, 0
    for match in _COLOUR.finditer(line):
        if match.start() > at:
            found.append((line[at : match.start()], colour))
        at = match.end()
        codes = match[1].split(";")
        if codes[:2] == ["38", "5"] and len(codes) == 3:
            colour = hue(int(codes[2]))
        elif match[1] in ("", "0", "39"):
            colour = FOREGROUND
    if at < len(line):
        found.append((line[at:], colour))
    return found


def terminal_svg(text: str, width: int, title: str) -> str:
    """An SVG picture of a terminal, `width` columns wide, that shows a text with colour escapes."""
    lines = text.split("\n")
    wide, tall = width * WIDE + 2 * MARGIN, len(lines) * TALL + BAR + MARGIN
    dots: dict[str, list[str]] = defaultdict(list)
    boxes: dict[str, list[str]] = defaultdict(list)
    words: list[str] = []
    for row, line in enumerate(lines):
        column, top = 0, BAR + row * TALL
        for stretch, colour in runs(line):
            for at, letter in enumerate(stretch, column):
                left = MARGIN + at * WIDE
                if "\u2800" <= letter <= "\u28ff":
                    pattern = ord(letter) - 0x2800
                    for bit, (c, r) in enumerate(_DOTS):
                        if pattern >> bit & 1:
                            dots[colour].append(
                                f"M{left + WIDE * (c + 0.5) / 2:.4g} {top + TALL * (r + 0.5) / 4:.5g}h0"
                            )
                elif letter in _BOXES:
                    x, y = left + WIDE / 2, top + TALL / 2
                    ends = {"u": f"V{top:.5g}", "d": f"V{top + TALL:.5g}"}
                    ends |= {"l": f"H{left:.5g}", "r": f"H{left + WIDE:.5g}"}
                    boxes[colour] += [f"M{x:.5g} {y:.5g}{ends[side]}" for side in _BOXES[letter]]
            for match in re.finditer(r"[^\s\u2800-\u28ff│─┤├┬┴└┘┌┐┼]+", stretch):
                x, length = MARGIN + (column + match.start()) * WIDE, len(match[0]) * WIDE
                words.append(
                    f'<text x="{x:.5g}" y="{top + 0.76 * TALL:.5g}" textLength="{length:.5g}" '
                    f'lengthAdjust="spacingAndGlyphs" fill="{colour}">{escape(match[0])}</text>'
                )
            column += len(stretch)
    font = "DejaVu Sans Mono, Menlo, Consolas, monospace"
    lights = zip((18, 36, 54), ("#e0645c", "#e0b04c", "#5cb860"), strict=True)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.6g} {tall:.6g}" width="{wide:.6g}" '
            f'font-family="{font}" font-size="13.6">',
            f"<title>{escape(title)}</title>",
            f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
            *(f'<circle cx="{x}" cy="15" r="5" fill="{colour}"/>' for x, colour in lights),
            f'<text x="{wide / 2:.6g}" y="19.5" text-anchor="middle" fill="#98a2b0">{escape(title)}</text>',
            '<g fill="none" stroke-linecap="round" stroke-width="2.7">',
            *(f'<path stroke="{colour}" d="{"".join(parts)}"/>' for colour, parts in dots.items()),
            '</g><g fill="none" stroke-width="1.1" opacity="0.75">',
            *(f'<path stroke="{colour}" d="{"".join(parts)}"/>' for colour, parts in boxes.items()),
            "</g>",
            *words,
            "</svg>",
            "",
        ]
    )
