"""The generated pages are those that declarations, docstrings and pages of markets give."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("page", ["settings", "metrics", "models"])
def test_a_generated_page_is_up_to_date(page: str) -> None:
    spec = importlib.util.spec_from_file_location(f"{page}_page", DOCS / f"{page}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / f"{page}.md").read_text(encoding="utf-8") == module.page(), f"run: python docs/{page}.py"
