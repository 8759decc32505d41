"""docs/add-a-market.md shows the toy market as it is."""

from __future__ import annotations

import re

from mmrl.settings.registry import markets
from tests.toy.register import HERE, ROOT

PAGE = (ROOT / "docs" / "add-a-market.md").read_text()
SHOWN = (
    "toy_market/settings.py",
    "toy_market/spec.py",
    "toy_market/dynamics.py",
    "toy_market/kernel.py",
    "toy_market/presets/toy.toml",
    "pyproject.toml",
)


def test_every_block_is_a_file_word_for_word() -> None:
    blocks = re.findall(r"^```(?:python|toml)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert blocks == [(HERE / file).read_text() for file in SHOWN]


def test_every_file_of_the_market_is_named() -> None:
    for path in (HERE / "toy_market").rglob("*.*"):
        if "__pycache__" not in path.parts and path.name != "__init__.py":
            assert path.name in PAGE or f"{path.parent.name}/*{path.suffix}" in PAGE, path


def test_every_file_that_a_market_can_have_is_named() -> None:
    for market in markets():
        folder = ROOT / "mmrl" / "markets" / market.replace("-", "_")
        for name in ("settings.py", "spec.py", "dynamics.py", "kernel.py", "tensor.py", "optimum.py", "recording.py"):
            assert f"`{name}`" in PAGE or not (folder / name).is_file()
