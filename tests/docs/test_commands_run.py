"""Every command of every page is run, smaller than it stands there; what is not run is listed here, with the reason.

The pages share one folder, in which stands what they suppose: shipped runs, a spec, days of real data where there are
some. Commands that need data or a package that is not here are skipped, with a reason.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import cli
from mmrl.runs import listing
from tests.docs.test_pages import PAGES, ROOT, blocks, shell_lines

DATA = Path(os.environ.get("MMRL_DATA", ROOT.parent / "shared" / "data"))
ELSEWHERE = {
    "first-run.md": "tests/docs/test_pages.py, in full size",
    "charts.md": "tests/docs/test_pages.py, with what they print",
    "library.md": "tests/docs/test_library_page.py, in full size",
    "add-a-market.md": "test_add_a_market.py compares it with tests/toy, test_registered.py trains it (tests/markets)",
}
"""Pages whose commands are run by other tests."""
NOT_RUN = {
    r"make |\. \.venv/|pytest ": "this is how the tests themselves are started",
    r"(pip|uv tool|pipx) install": "installs from the network; tests/e2e/test_packages.py installs what was built here",
    r"torchrun ": "tests/training/test_parallel.py starts several processes",
    r"mmrl tui": "tests/tui drives it in a terminal",
    r"mmrl bench|python -m benchmarks": "measures for minutes; tests/bench measures one case of each kind",
    r"mmrl train .*--device cuda": "needs a GPU; tests/rollout/test_cuda_device.py",
    r"mmrl evaluate \[RUN": "says what the command takes",
}
"""By the beginning of a line: why it is not run."""
SMALL = {
    "-ne": "1",
    "-nb": "4",
    "-nt": "60",
    "--expand": "1",
    "--trajectories": "20",
    "--seeds": "0-1",
    "--trials": "2",
}
OUTPUTS = ("-o", "--numpy", "--csv", "--save")
"""Options with a file that another page may have written."""
ADDED = {"train": ("-ne", "-nb", "--threads"), "evaluate": ("--trajectories",), "sweep": ("--trials",)}
"""What makes a command small: values in place of its own, and options that it gets where it has them not."""
NAMES = {"$s": "0", "q$s": "q0", "S": "0", "RUN": "mine", "GROUP": "group", "day.npz": "day"}
RUNS = {
    "avellaneda-stoikov": ("mine",),
    "order-flow-fast": ("of0", "of1", "of2", "of3", "of4"),
    "quickstart": ("q0", "q1", "q2", "q3", "q4"),
}
"""Runs that pages suppose, by preset."""
FILES = {
    r"AMZN_.*_message_1\.csv": "lobster_amzn_l1/*message*",
    r"AMZN_.*_orderbook_1\.csv": "lobster_amzn_l1/*orderbook*",
    r"es.*\.dbn\.zst": "databento_es_mbo/*.dbn.zst",
}
"""Days of real data, as pages name them, and where they lie."""
TRAIN = "train -nt 20 -nb 4 -ne 1 --threads 1 -pa 1 --preset"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the commands are typed."""
    place = tmp_path_factory.mktemp("typed")
    before = Path.cwd()
    os.chdir(place)
    shutil.copytree(ROOT / "good-results", place / "good-results")
    (spec,) = (text for kind, text in blocks(ROOT / "docs" / "scaling.md") if kind == "toml")
    (place / "spec.toml").write_text(spec.replace("ne = 60", "ne = 1\nnb = 4\nnt = 20"))
    for preset, names in RUNS.items():
        for name in names:
            assert run(f"{TRAIN} {preset} --name {name}".split()) == 0
    assert run(f"{TRAIN} avellaneda-stoikov --name group --seeds 0-1".split()) == 0
    yield place
    os.chdir(before)


def run(words: list[str]) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    return int(end.value.code or 0)


def typed(line: str, folder: Path) -> list[str]:
    """A line of a page as it is run here; skips where a file or package is missing that it needs."""
    words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
    words = [NAMES.get(word, word) for word in words]
    for at, word in enumerate(words):
        for pattern, place in FILES.items():
            if re.fullmatch(pattern, word):
                found = sorted(DATA.glob(place))
                if not found:
                    pytest.skip(f"there is no {place} in MMRL_DATA")
                words[at] = str(found[0])
        if words[at - 1] in SMALL:
            words[at] = SMALL[words[at - 1]]
        if words[at - 1] == "--name":
            taken = {info.name for info in listing.find_runs("results")} | {p.name for p in folder.glob("results/*")}
            words[at] = word if word not in taken else f"{word}-again"
        if words[at - 1] in OUTPUTS:
            Path(words[at]).unlink(missing_ok=True)
    needs = {"replay": "hftbacktest", "sweep": "optuna"}.get(words[0], "")
    if needs and find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    if words[:2] == ["plot", "day"] and find_spec("hftbacktest") is None:
        pytest.skip("what it draws comes from mmrl replay, which needs hftbacktest")
    for option in ADDED.get(words[0], ()):
        if option not in words and "--help" not in words:
            words += [option, {"--threads": "1"}.get(option, SMALL.get(option, ""))]
    return words


def lines_of(page: Path) -> list[str]:
    return [] if page.name in ELSEWHERE else [line for line in shell_lines(page) if not _reason(line)]


def _reason(line: str) -> str:
    return next((reason for start, reason in NOT_RUN.items() if re.match(start, line)), "")


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("page", "line"), [(p, line) for p in PAGES for line in lines_of(p)], ids=lambda x: getattr(x, "name", x)
)
def test_it_runs(page: Path, line: str, folder: Path) -> None:
    assert run(typed(line, folder)) == 0


def test_every_line_is_run_or_listed() -> None:
    """Nothing in a shell block is anything else than mmrl, or what is listed; and what is listed is there."""
    lines = [line for page in PAGES if page.name not in ELSEWHERE for line in shell_lines(page)]
    assert [line for line in lines if not line.startswith("mmrl ") and not _reason(line)] == []
    assert [start for start in NOT_RUN if not any(re.match(start, line) for line in lines)] == []
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [line for line in lines if line.startswith("make ") and line.split()[1] not in targets] == []
    assert sum(not _reason(line) for line in lines) > 40
    assert {name for name in ELSEWHERE if not any(page.name == name for page in PAGES)} == set()


def test_every_block_is_fenced() -> None:
    """So that these tests see it."""
    for page in PAGES:
        bare = re.sub(r"^```\w*\n.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        assert re.findall(r"\n\n {4}(?![-*\d ]).*", bare) == [], page.name
