"""Wheel and source distribution: built, installed into clean environments, and used there with every warning an error.

The environments are new and have nothing but mmrl; what it depends on is found where these tests have it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("mmrl", "tui", "cli.py", "setup.py", "pyproject.toml", "README.md", "LICENSE")
TINY = ("--preset", "avellaneda-stoikov", "-nt", "5", "-nb", "4", "--layer-size", "4", "--threads", "1", "-ne", "2")
BUILD = "from setuptools import build_meta; build_meta.build_sdist('dist')"


def done(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Standard output of a command that must work."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MMRL_", "PYTHON"))}
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**clean, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source distribution, the wheel of the sources, and the one that is made from the source distribution."""
    place = tmp_path_factory.mktemp("build")
    for name in SHIPPED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, place / name)
    done(sys.executable, "-c", BUILD, cwd=place)
    (sdist,) = (place / "dist").glob("*.tar.gz")
    found = {"sdist": sdist}
    for name, source in (("wheel", Path(".")), ("from sdist", sdist)):
        into = place / name.replace(" ", "-")
        done(
            sys.executable, "-m", "pip", "wheel", source, "--no-deps", "--no-build-isolation", "-q", "-w", into,
            cwd=place,
        )  # fmt: skip
        (found[name],) = into.glob("*.whl")
    return found


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def environment(place: Path, python: str, wheel: Path) -> Path:
    """A new environment with a wheel; its Python."""
    done(python, "-m", "venv", "--without-pip", place, cwd=place.parent)
    own = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", own)
    done(*pip, "install", "-q", "--no-deps", wheel, cwd=place)
    return own


@pytest.mark.slow
def test_the_source_distribution_makes_the_same_wheel(built: dict[str, Path]) -> None:
    assert contents(built["wheel"]) == contents(built["from sdist"])
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.py", "LICENSE", "README.md", "tui/app.tcss", "mmrl/markets/book/presets/quickstart.toml"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["from sdist", pytest.param("wheel", marks=pytest.mark.nightly)])
def test_installed_it_works_without_a_warning(kind: str, built: dict[str, Path], tmp_path: Path) -> None:
    own = environment(tmp_path / "clean", sys.executable, built[kind])
    (site,) = (tmp_path / "clean").rglob("site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")

    def mmrl(*words: str) -> str:
        return done(own, "-W", "error", "-m", "mmrl", *words, cwd=tmp_path, NUMBA_DISABLE_JIT="1")

    place = done(own, "-W", "error", "-c", "import mmrl; print(mmrl.__file__, len(mmrl.markets()))", cwd=tmp_path)
    assert place.split() == [str(site / "mmrl" / "__init__.py"), "3"]
    mmrl("train", *TINY, "--name", "first")
    assert '"epoch": 2' in mmrl("runs", "list", "--json") and "±" in mmrl("evaluate", "first", "--trajectories", "20")
    assert "quickstart" in done(own.with_name("mmrl"), "presets", cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_every_module_compiles_on_any_python_there_is(version: str, built: dict[str, Path], tmp_path: Path) -> None:
    """Without what mmrl depends on, of which there may be none for that Python here."""
    places = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    python = next((str(p) for p in places if p and subprocess.run([p, "-V"], capture_output=True).returncode == 0), "")
    if not python:
        pytest.skip(f"there is no Python {version} here")
    own = environment(tmp_path / "clean", python, built["wheel"])
    (site,) = (tmp_path / "clean").rglob("site-packages")
    assert done(own, "-c", "import sys; print('%d.%d' % sys.version_info[:2])", cwd=tmp_path).strip() == version
    done(own, "-W", "error", "-m", "compileall", "-q", "-f", site / "mmrl", cwd=tmp_path)
