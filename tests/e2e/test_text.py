"""Text from elsewhere, in files, flags and variables: used, or refused in one line with exit 2."""

from __future__ import annotations

import os
import string
from pathlib import Path
from tempfile import gettempdir

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import cli
from mmrl.commands.completion import complete_run
from mmrl.settings.fields import fields
from mmrl.settings.files import user_folder

FILES = {
    "a number of 5000 digits": b"nb = " + b"9" * 5000,
    "a number of 5000 hexadecimal digits": b"nb = 0x" + b"f" * 5000,
    "100000 brackets": b"nb = " + b"[" * 100_000,
    "NUL bytes": b"lr = 0.1\0",
    "NUL in a text": b'[run]\nresults = "a\\u0000b"',
    "no UTF-8": b"\xff\xfe",
    "two values": b"lr = 0.1\n[training]\nlr = 0.2\n",
    "not a number": b"lr = nan",
    "infinity": b"lr = inf",
    "a huge whole number for a float": b"lr = 1" + b"0" * 400,
    "a date": b"lr = 2020-01-01",
    "a table for a number": b"[training.lr]\nx = 1",
    "a market that is gone": b'[market]\nname = "toy"',
    "a folder of nobody": b'[run]\nresults = "~nobody-at-all/x"',
    "an unset variable": b'[run]\nresults = "$MMRL_UNSET/x"',
    "a megabyte of nothing": b"#" * 1_000_001,
}


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli.main(list(arguments))
    code = end.value.code
    assert isinstance(code, int)
    return code, *capsys.readouterr()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("MMRL_")]:
        monkeypatch.delenv(variable)
    return tmp_path


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_cannot_be_used_is_refused(what: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "my.toml").write_bytes(FILES[what])
    code, out, err = outcome(capsys, "train", "--config", "my.toml")
    assert (code, out) == (2, ""), err
    assert err.startswith("mmrl: ") and "my.toml" in err and err.count("\n") == 1 and len(err) < 400
    assert [path.name for path in here.iterdir()] == ["my.toml"]


def test_a_byte_order_mark_is_no_fault(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "my.toml").write_bytes(b"\xef\xbb\xbflr = 0.125\n")
    code, out, _ = outcome(capsys, "train", "--config", "my.toml", "--dry-run")
    assert code == 0 and "\nlr = 0.125\n" in out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-lr nan", "training.lr = nan is not allowed"),
        ("-nb4", "-nb4 is no option: write -nb 4"),
        ("-ne=5 -nq 3", "-nq is no option: did you mean '-n"),
        ("--set lr=0.1 --set training.lr=0.2", "given twice, as 0.1 and 0.2"),
        ("--results ~nobody-at-all/x", "no user ~nobody-at-all"),
        ("--results $MMRL_UNSET/x", "no variable $MMRL_UNSET"),
        ("--name \udcff", "run.name = '\\udcff'"),
        ("--name ../../x --dry-run", "run name '../../x' is not allowed"),
        ("--name con --seeds 0-1", "run name 'con' is not allowed"),
        ("--config /", "Is a directory"),
        ("--nt \u0661\u0662 --dry-run", "market.nt = '\u0661\u0662'"),
        ("-lr \u0660.\u0665 --dry-run", "training.lr = '\u0660.\u0665'"),
        ("--nt 1_000 --dry-run", "market.nt = '1_000'"),
        ("--delta-grid 1,,2 --dry-run", "market.delta_grid = '1,,2'"),
        ("--preset= --dry-run", "unknown preset ''"),
        ("--config= --dry-run", "--config cannot be read"),
        ("--market-file= --dry-run", "--market-file cannot be read"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome(capsys, "train", *line.split())
    assert (code, out) == (2, "") and words in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "variable", "remedy"),
    [
        ("train --dry-run", "MMRL_SEDE", "did you mean 'MMRL_SEED'?"),
        ("train --dry-run", "MMRL_LERNING_RATE", "use MMRL_LR"),
        ("runs list", "MMRL_RESULT", "did you mean 'MMRL_RESULTS'?"),
        ("evaluate --market avellaneda-stoikov", "MMRL_VF_COEF", "the value function is fitted by least squares"),
        ("simulate -o tape", "MMRL_QQQQ", "unset it"),
        *((line, "MMRL_SIGMAA", "did you mean 'MMRL_SIGMA'?") for line in ("bench", "plot", "quote run", "tui")),
        *((line, "MMRL_SIGMAA", "did you mean 'MMRL_SIGMA'?") for line in ("sweep x.toml", "export run", "config es")),
    ],
)
def test_every_command_refuses_an_unknown_variable(
    line: str, variable: str, remedy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "3")
    code, out, err = outcome(capsys, *line.split())
    assert (code, out) == (2, "") and err.startswith(f"mmrl: unknown variable {variable}: {remedy}"), err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value", "least"),
    [("NUMBA_NUM_THREADS", "0", 1), ("NUMBA_NUM_THREADS", "two", 1), ("NUMBA_DISABLE_JIT", "yes", 0)],
)
def test_numbers_that_numba_cannot_read_are_refused(
    variable: str, value: str, least: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    said = f"mmrl: {variable} = {value!r} is not allowed: it must be a whole number >= {least}, or unset\n"
    assert outcome(capsys, "train", "--dry-run") == (2, "", said)


@pytest.mark.parametrize("line", ["runs list", "plot", "evaluate x", "quote x", "sweep x.toml"])
def test_a_results_folder_that_is_a_file_is_told(line: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "file").touch()
    (here / "x.toml").touch()
    code, out, err = outcome(capsys, *line.split(), "--results", "file")
    assert (code, out) == (2, "") and err.startswith("mmrl: --results file is no folder")


def test_help_needs_no_known_variables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MMRL_QQQQ", "3")
    assert outcome(capsys, "evaluate", "--help")[0] == 0


SPEC = 'objective = "value"\n[settings]\nmarket = "avellaneda-stoikov"\n[search]\nlr = [0.1, 0.2]\n'


@pytest.mark.parametrize(
    ("line", "unused"),
    [
        ("evaluate --market avellaneda-stoikov --agent symmetric --quotes --json", ["MMRL_SIGMA"]),
        ("evaluate --market avellaneda-stoikov --set sigma=1 --agent symmetric --quotes --json", []),
        ("simulate --market order-flow --events 1 -o missing/tape", ["MMRL_SIGMA"]),
        ("sweep spec.toml --results file/below", ["MMRL_NT", "MMRL_SIGMA", "MMRL_LR"]),
    ],
)
def test_where_variables_do_nothing_it_is_said(
    line: str, unused: list[str], here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MMRL_LR would change no evaluation; a sweep searches its own values of it."""
    (here / "spec.toml").write_text(SPEC)
    (here / "file").touch()  # no folder can be made below: the sweep ends there
    for variable, value in (("MMRL_SIGMA", "7"), ("MMRL_LR", "0.5"), ("MMRL_NT", "8")):
        monkeypatch.setenv(variable, value)
    if not line.startswith("sweep"):
        monkeypatch.delenv("MMRL_NT")
    _, _, err = outcome(capsys, *line.split())
    assert [text.split()[1] for text in err.splitlines() if "is not used: " in text] == unused, err


def test_a_home_and_a_variable_in_a_path_are_replaced(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(here / "home"))
    monkeypatch.setenv("DATA", str(here / "data"))
    for typed, meant in (("~/runs", here / "home" / "runs"), ("${DATA}/runs", here / "data" / "runs")):
        assert f'\nresults = "{meant}"\n' in outcome(capsys, "train", f"--results={typed}", "--dry-run")[1]
        assert str(meant) in outcome(capsys, "runs", "list", f"--results={typed}")[1]
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    [
        "plot --save={}/x.svg",
        "evaluate --market avellaneda-stoikov --quotes --save={}/x.svg",
        "simulate --market order-flow --events 10 --output={}/tape",
        "calibrate a.csv b.csv --output={}/x.toml",
        "calibrate {}/message.csv {}/orderbook.csv",
    ],
)
def test_every_path_knows_homes_and_variables(
    line: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, words in (("~nobody-at-all", "no user ~nobody-at-all"), ("$MMRL_UNSET", "no variable $MMRL_UNSET")):
        code, out, err = outcome(capsys, *line.replace("{}", place).split())
        assert (code, out) == (2, "") and words in err and err.count("\n") == 1, err
    monkeypatch.setenv("HOME", str(here / "home"))
    outcome(capsys, *line.replace("{}", "~").split())  # there may be nothing to draw
    assert not (here / "~").exists()


@pytest.mark.parametrize("chosen", ["", "~/x", "relative", "./x"])
def test_a_folder_of_the_user_is_never_one_of_the_current_directory(
    chosen: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", chosen)
    monkeypatch.setenv("HOME", str(here))
    assert user_folder("XDG_CONFIG_HOME", ".config") == here / ".config"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/x")
    assert user_folder("XDG_CONFIG_HOME", ".config") == Path("/etc/x")


def test_a_user_without_a_home_has_folders_among_the_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as in a container with a user that it does not know
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert user_folder("XDG_CACHE_HOME", ".cache") == Path(gettempdir()) / f"mmrl-{os.getuid()}" / ".cache"


def test_shipped_runs_are_looked_for_beside_the_results(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = outcome(capsys, "plot", "--good-results", "--results", "a/results")
    assert code == 2 and f"no runs in {here}/a/good-results: a clone of the repository has some" in err


def test_runs_are_completed_from_the_folder_on_the_line(here: Path) -> None:
    class Context:
        def __init__(self, **params: object) -> None:
            self.params = params

    for folder in ("results/one", "other/two", "good-results/three"):
        (here / folder).mkdir(parents=True)
        (here / folder / "config.toml").touch()

    def completed(**params: object) -> list[str]:
        return complete_run(Context(**params), "")  # type: ignore[arg-type]

    assert completed() == ["one"]
    assert (
        completed(results="other")
        == completed(run_results="other")
        == completed(results=str(here / "other"))
        == ["two"]
    )
    assert completed(good_results=True) == ["three"]
    assert completed(results="~nobody-at-all") == []


WORDS = st.one_of(
    st.text(max_size=20),
    st.text(string.printable, max_size=8),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["nan", "-inf", "1e999", "9" * 5000, "~", "~/x", "$X", "[1,2", "true", "", "\udcff", "0x10", "-", "--"]
    ),
).filter(lambda word: word != "--debug")  # which Hypothesis reads in the sources, and which raises errors on purpose
FLAGS = st.sampled_from([flag for spec in fields() for flag in (*spec.flags, *spec.switches)] + ["--set", "--preset"])
KEYS = st.sampled_from([spec.key for spec in fields()] + [spec.name for spec in fields()])
VALUES = st.one_of(
    WORDS,
    st.integers(),
    st.floats(),
    st.sampled_from(["inf", "nan", "[]", "{}", '"\\u0000"', "1979-05-27", "[[1]]", "true", "0o7", "'a'", '"""a"""']),
).map(str)
LINE = st.lists(st.one_of(st.tuples(FLAGS, WORDS).map(list), WORDS.map(lambda word: [word])), max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    line=LINE,
    table=st.lists(st.tuples(st.one_of(KEYS, WORDS), VALUES), max_size=3),
    raw=st.binary(max_size=40),
    variable=st.tuples(st.sampled_from([spec.variable for spec in fields()]), WORDS),
)
@example(
    line=[["-lr", "nan"], ["-lr", "nan"]], table=[("lr", "9" * 5000)], raw=b"\xef\xbb\xbf", variable=("MMRL_NB", "")
)
def test_whatever_is_given_is_used_or_refused(
    line: list[list[str]],
    table: list[tuple[str, str]],
    raw: bytes,
    variable: tuple[str, str],
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "\n".join(f"{key} = {value}" for key, value in table)
    (here / "my.toml").write_bytes(raw + text.encode(errors="replace"))
    name, value = variable
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value.replace("\0", ""))
        words = [word for pair in line for word in pair]
        for arguments in (["--config", "my.toml"], words, []):
            code, _, err = outcome(capsys, "train", "--dry-run", *arguments)
            assert code in (0, 2, 3), err
    assert [path.name for path in here.iterdir()] == ["my.toml"]


@pytest.mark.parametrize("arguments", [("train", ""), ("train", "", ""), ("train", " "), ("runs", "list", "")])
def test_empty_arguments_are_refused_in_words(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = outcome(capsys, *arguments)
    assert code == 2 and err.startswith("mmrl: an empty argument is not allowed: drop it") and err.count("\n") == 1
