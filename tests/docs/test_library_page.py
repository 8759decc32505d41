"""The page on the library: its code runs, in order, from one folder."""

from __future__ import annotations

import importlib.util
import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import cli
import mmrl

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "library.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_every_public_name_is_explained() -> None:
    assert [name for name in mmrl.__all__ if name != "__version__" and f"`{name}`" not in PAGE] == []
    assert {kind for kind, _ in BLOCKS} == {"python", ""}


def test_every_public_name_is_in_the_reference() -> None:
    """The page that is made from the code names the module of each, with the name or among its members."""
    made = re.findall(r"^::: ([\w.]+)((?:\n    .*)*)", (ROOT / "docs" / "interface.md").read_text(), re.MULTILINE)
    told = {name.rpartition(".")[2] for name, _ in made}
    told |= {
        member
        for _, options in made
        for found in re.findall(r"members: \[(.*)\]", options)
        for member in found.split(", ")
    }
    assert [name for name in mmrl.__all__ if name not in {*told, "__version__"}] == []


def test_the_code_of_readme_runs() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert "ne=20" in block
    exec(compile(block.replace("ne=20", "ne=1"), "README.md", "exec"), {})


def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good-results").symlink_to(ROOT / "good-results")
    names: dict[str, object] = {}
    printed = io.StringIO()
    with redirect_stdout(printed):
        for kind, block in BLOCKS:
            if kind == "python":
                if "gymnasium" in block and importlib.util.find_spec("gymnasium") is None:
                    continue
                exec(compile(block, "docs/library.md", "exec"), names)
                continue
            for line in block.splitlines():
                if "sb3:FILE.zip" in line:  # tests/gym/test_sb3.py trains one
                    continue
                with pytest.raises(SystemExit) as end:
                    cli.main(shlex.split(line)[1:])
                assert not end.value.code, line
    said = printed.getvalue()
    assert "'finished'" in said and "optimality" in said and "'wealth'" in said, said
