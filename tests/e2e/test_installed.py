"""The wheel beside what others have installed or written: no foreign name is claimed, and none disturbs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mmrl.learn import precompile

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("mmrl", "tui", "cli.py", "setup.py", "pyproject.toml", "README.md", "LICENSE")
FOREIGN = "raise SystemExit('foreign code ran')\n"
NAMES = ("json", "numpy", "typing", "os", "re", "typer", "torch", "numba", "logging", "cli", "pydantic", "mmrl_x")
TINY = ("-nt", "5", "-nb", "2", "--layer-size", "4", "--threads", "1", "-pa", "0")
Result = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy of it."""
    place = tmp_path_factory.mktemp("wheel")
    for name in SHIPPED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, place / name)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-q", "-w", "dist"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = (place / "dist").glob("*.whl")
    return found


@pytest.fixture
def site(wheel: Path, tmp_path: Path) -> Path:
    """A folder of packages with the wheel, and with a `cli` and a `tui` of somebody else."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    plant(tmp_path / "site", "cli")
    return tmp_path / "site"


def plant(folder: Path, *names: str) -> Path:
    """Files that end whoever imports them, and a package tui of the same kind."""
    (folder / "tui").mkdir(parents=True)
    for path in (*(folder / f"{name}.py" for name in names), folder / "tui" / "__init__.py"):
        path.write_text(FOREIGN)
    return folder


def start(folder: Path, site: Path, *command: str, **variables: str) -> Result:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MMRL_")}
    variables = {**clean, "PYTHONPATH": str(site), "NUMBA_DISABLE_JIT": "1", **variables}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False
    )


def test_one_top_level_name_is_installed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (points,) = (archive.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"mmrl"}
    assert {"mmrl/cli.py", "mmrl/tui/app.py", "mmrl/tui/app.tcss", "mmrl/tui/widgets/book.py"} <= set(names)
    assert "mmrl = mmrl.__main__:main" in points


@pytest.mark.slow
def test_neighbours_named_cli_and_tui_disturb_nothing(site: Path, tmp_path: Path) -> None:
    folder = plant(tmp_path / "work", *NAMES)
    script = "import sys\nfrom mmrl.__main__ import main\nsys.argv[0] = 'mmrl'\nmain()\n"  # as pip writes it
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mmrl").write_text(script)
    for command in (("-m", "mmrl"), (str(tmp_path / "bin" / "mmrl"),)):
        done = start(folder, site, *command, "runs", "list", "--json")
        assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    done = start(folder, site, "-m", "mmrl", "train", *TINY, "-ne", "2", "--name", "run")
    assert done.returncode == 0, done.stderr
    done = start(folder, site, "-P", "-c", "import mmrl.tui.app as app; print(app.__file__)")
    assert done.stdout.strip() == str(site / "mmrl" / "tui" / "app.py"), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        pytest.param("train -nt 5 -nb 2 --threads 1 -ne 1 --name here", marks=pytest.mark.nightly),
        "train -nt 5 -nb 2 --threads 1 -ne 1 --name there --detach --json",
        pytest.param("evaluate --agent naive --set nt=5 --trajectories 2", marks=pytest.mark.nightly),
        pytest.param("simulate --market order-flow --events 20 -o tape", marks=pytest.mark.nightly),
        pytest.param("plot good-results/quickstart --what training", marks=pytest.mark.nightly),
        pytest.param("runs list", marks=pytest.mark.nightly),
        pytest.param("runs doctor", marks=pytest.mark.nightly),
        pytest.param("--help", marks=pytest.mark.nightly),
        "train --help",
    ],
)
def test_no_command_runs_files_of_the_current_directory(line: str, tmp_path: Path) -> None:
    folder = plant(tmp_path / "work", *NAMES)
    shutil.copytree(ROOT / "good-results", folder / "good-results")
    done = start(folder, ROOT, "-m", "mmrl", *line.split())
    assert done.returncode == 0, done.stderr
    assert "foreign" not in done.stdout + done.stderr
    if "--detach" in line:
        log = folder / "results" / "there" / "log.txt"
        pid = json.loads(done.stdout)["pid"]
        for _ in range(600):
            if log.exists() and "finished after epoch 1" in log.read_text():
                break
            subprocess.run(["sleep", "0.1"], check=True)
        else:
            texts = [path.read_text() for path in (folder / "results").glob(".detached*")]
            raise AssertionError(f"process {pid} did not finish: {texts}")


@pytest.mark.slow
def test_children_of_a_command_run_no_files_of_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plant(tmp_path / "work", *NAMES))
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert precompile.start().wait(120) == 0
    worker = ("-m", "mmrl.bench.worker", "start/cli/imports")
    done = start(tmp_path / "work", ROOT, *worker)
    assert done.returncode != 0, "python -m alone does run them: the mutant"
    done = start(tmp_path / "work", ROOT, "-P", *worker)
    assert done.returncode == 0 and "ready" in done.stdout, done.stderr


EXTRAS = (
    "aiohttp", "databento_dbn", "gymnasium", "hftbacktest", "matplotlib", "mlflow", "onnx", "onnxruntime", "optuna",
    "pandas", "polars", "scipy", "stable_baselines3", "statsmodels", "tensorboard", "textual_serve", "wandb",
    "zstandard",
)  # fmt: skip
WITHOUT = {
    "markets": "", "markets book": "", "agents": "", "presets": "", "config quickstart": "", "runs list": "",
    "train --dry-run": "", "quote RUN": "", "plot RUN": "", "plot RUN --save x.svg": "", "export RUN --csv x.csv": "",
    "evaluate RUN --quotes --json": "",
    "plot RUN --save x.png": "plots", "export RUN --parquet x.parquet": "data", "export RUN --onnx x.onnx": "onnx",
    "export RUN --tensorboard x": "tensorboard", "sweep x.toml": "sweep", "replay RUN x.npz": "replay",
    "tui --serve": "serve", "train --log-to wandb": "wandb",
}  # fmt: skip
"""What a command does where no extra is installed: it works, or it names the extra that it needs."""


def test_commands_work_without_extras_or_name_the_one_that_they_need(tmp_path: Path) -> None:
    """All in one process, in which these packages cannot be imported."""
    (tmp_path / "x.toml").write_text('objective = "value"\n[search]\nlr = [0.1, 0.2]\n')
    script = f"""
import contextlib, io, json, sys
sys.modules.update(dict.fromkeys({EXTRAS!r}))
import cli
found = {{}}
for line in {list(WITHOUT)!r}:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main([*line.replace("RUN", "quickstart").split(), *(["--results", {str(ROOT / "good-results")!r}]
                      if "RUN" in line else [])])
        except SystemExit as end:
            found[line] = end.code, err.getvalue()
print(json.dumps(found))
"""
    done = start(tmp_path, ROOT, "-P", "-c", script)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for line, extra in WITHOUT.items():
        code, said = found[line]
        assert code == (2 if extra else 0), (line, said)
        assert not extra or (f"market-making-rl[{extra}]" in said and said.count("\n") == 1), (line, said)


def test_python_is_started_in_one_place() -> None:
    sources = [ROOT / "cli.py", *(ROOT / "mmrl").rglob("*.py"), *(ROOT / "tui").rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in sources if "sys.executable" in path.read_text()}
    # the second one replaces itself by the very command that the user typed
    assert found == {"mmrl/runs/processes.py", "mmrl/training/reproducible.py"}
