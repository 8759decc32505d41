"""Words that Click would read otherwise than they are meant, refused in one line before it reads them."""

from __future__ import annotations

import shlex

import pytest

import cli


def said(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        cli.main(shlex.split(line))
    out, err = capsys.readouterr()
    assert isinstance(end.value.code, int) and (end.value.code == 0 or out == "")
    return end.value.code, err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train -lr0.1", "-lr0.1 is no option: write -lr 0.1"),  # Click: -l r0.1, a run to be loaded
        ("train -nb4", "-nb4 is no option: write -nb 4"),
        ("train -nt-5", "-nt-5 is no option: write -nt -5"),
        ("train -l=myrun", "-l=myrun is no option: write -l myrun"),  # Click: a run named =myrun
        ("train -lquick-1", "-lquick-1 is no option: write -l quick-1"),
        ("train -lrr 3", "-lrr is no option: did you mean '-lr'?"),
        ("train -afni", "-afni is no option: write -af -ni"),
        ("train -pnb 3", "-pnb is no option: write -p -nb"),
        ("train -NB 4", "-NB is no option: write -nb"),
        ("train -entropy 3", "-entropy is no option: write --entropy"),
        ("train -help", "-help is no option: write --help"),
        ("train -h5", "-h5 is no option: did you mean '-h'?"),
        ("train -z", "-z is no option"),
        ("-q", "-q is no option"),
        ("runs --lost", "--lost is no option"),
        ("runs list --jsn", "--jsn is no option: did you mean '--json'?"),
    ],
)
def test_a_word_that_is_no_flag_is_named_whole(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, line) == (2, f"mmrl: {words}\n")


@pytest.mark.parametrize(
    "told",
    [
        ("train -nb 4 --dry-run -nb 5 -nb 4", "-nb 4 and then -nb 5", "-nb 5 and then -nb 4"),
        ("train --dry-run -nb=4 --nb 5", "-nb 4 and then --nb 5"),
        ("train --dry-run --preset book --preset es", "--preset book and then --preset es"),
        ("runs list --results a --results=b", "--results a and then --results b"),
        ("presets --json --json",),
        ("train --dry-run --noppo --noppo",),
    ],
)
def test_of_two_values_for_one_option_the_last_counts_and_that_is_said(
    told: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    line, *notes = told
    code, err = said(capsys, line)
    assert code == 0 and err.splitlines()[: len(notes)] == [f"mmrl: {text}: the last counts" for text in notes]
    assert bool(notes) == ("the last counts" in err)


def test_a_switch_and_its_contrary_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = said(capsys, "evaluate nothing --stochastic --deterministic")
    assert err.startswith("mmrl: --stochastic and then --deterministic: the last counts\n")


@pytest.mark.parametrize(
    "line",
    [
        "train --dry-run -nb 4 --nb=4 -lr 0.1 --set lr=0.1 --set nt=5 --dry-run",
        "train --dry-run --lr=0.25 -nb=3",
        "markets -- book",
        "--version --version",
    ],
)
def test_the_same_said_twice_and_options_that_repeat_are_allowed(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, line) == (0, "")


def test_a_value_that_looks_like_a_flag_stays_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    code, err = said(capsys, "train --dry-run -lr -nb4")
    assert code == 2 and "'-nb4'" in err and "is no option" not in err
    code, err = said(capsys, "plot -- -nb4")
    assert code == 2 and "run name '-nb4' is not allowed" in err
