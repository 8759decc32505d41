"""Tables: what gives way when they are too wide, and that no number ever does."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from mmrl.plots.table import Column, pairs, table
from mmrl.plots.text import shortened

AGENTS = ("", "avellaneda-stoikov", "avellaneda-stoikov-ppo_400-100", "avellaneda-stoikov-ppo_800-100")
COLUMNS = [Column("agent", "label"), Column("value"), Column("nothing"), Column("why", "text"), Column("std")]
ROWS = [
    (AGENTS[1], "1,234,567.89 ± 0.14", "-", "an agent that knows the market", "13.45"),
    (AGENTS[2], "64.91 ± 0.14", "", "one that has learned", "6.55"),
    (AGENTS[3], "-64.91 ± 0.14", "-", "one that has learned for twice as long as the other one", "6.56"),
]


def test_a_table_with_room_is_drawn_whole_without_its_empty_column() -> None:
    assert table(COLUMNS[:3] + COLUMNS[4:], [row[:3] + row[4:] for row in ROWS], 200, "outcome") == [
        "outcome",
        "agent                                         value    std",
        "avellaneda-stoikov              1,234,567.89 ± 0.14  13.45",
        "avellaneda-stoikov-ppo_400-100         64.91 ± 0.14   6.55",
        "avellaneda-stoikov-ppo_800-100        -64.91 ± 0.14   6.56",
    ]


def test_labels_shrink_in_their_middle_while_they_stay_apart_and_texts_wrap() -> None:
    assert table(COLUMNS, ROWS, 76)[:3] == [
        "agent                                 value  why                         std",
        "avellaneda-stoikov      1,234,567.89 ± 0.14  an agent that knows the   13.45",
        "                                             market",
    ]
    for width in (60, 76, 90):
        lines = table(COLUMNS, ROWS, width)
        assert max(map(cell_len, lines)) <= width
        assert any("…" in line for line in lines) == (width < 90)
        assert len({line.split("  ")[0] for line in lines if "±" in line}) == 3


def test_columns_stand_below_each_other_where_they_cannot_stand_beside_each_other() -> None:
    wide = [Column("name", "label"), *(Column(f"figure {k}") for k in range(4))]
    lines = table(wide, [("run", "1,234,567,890", "2", "3", "4,567,890,123,456")], 40)
    assert lines == [
        "name       figure 0  figure 1  figure 2",
        "run   1,234,567,890         2         3",
        "",
        "name           figure 3",
        "run   4,567,890,123,456",
    ]


def test_a_number_wider_than_what_is_left_of_the_line_stands_below_its_name() -> None:
    assert table([Column("name", "label"), Column("figure")], [("a-long-name-of-a-run", "9" * 30)], 40) == [
        "a-long-name-of-a-run",
        "  figure: " + "9" * 30,
    ]


@pytest.mark.parametrize(
    ("label", "width", "shown"),
    [("symmetric", 9, "symmetric"), ("symmetric", 8, "symm…ric"), ("avellaneda-stoikov", 5, "av…ov")],
)
def test_a_label_keeps_both_ends(label: str, width: int, shown: str) -> None:
    assert shortened(label, width) == shown and len(shown) == width


def test_a_name_cannot_move_the_cursor() -> None:
    assert "\x1b" not in "".join(table([Column("name", "label")], [("a\x1b[2Jb",)], 60))


def test_pairs_wrap_at_blanks_below_what_they_say() -> None:
    assert pairs([("a", "one two"), ("long", "three four five")], 16) == [
        "a     one two",
        "long  three four",
        "      five",
    ]
    assert pairs([("file", "/a/path/without/blanks is gone")], 24)[0] == "file"
    assert "/a/path/without/blanks" in pairs([("file", "/a/path/without/blanks is gone")], 24)[1]
