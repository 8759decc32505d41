"""Writes docs/models.md from the pages of the markets and the docstrings of the agents: python docs/models.py"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from mmrl.agents import AGENTS, FILES
from mmrl.agents.about import ABOUT
from mmrl.settings.registry import BUILT_IN, markets, packages

PAGE = Path(__file__).with_name("models.md")
CODE = Path(__file__).parents[1] / "mmrl"
HEAD = """# Markets and agents: formulas and sources

Written by `python docs/models.py` from `mmrl/markets/*/README.md` and the docstrings in `mmrl/agents/` and of the exact
optima. `mmrl markets NAME` and `mmrl agents NAME` tell the rest. What other figures a maker is compared with:
[yardsticks](yardsticks.md).
"""


def docstring(file: Path) -> str:
    """The docstring of a module, without importing it."""
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def market(name: str) -> str:
    """The page of a market, its headings two levels deeper, and how its optimum is computed."""
    folder = CODE / "markets" / packages()[name].rpartition(".")[2]
    text = re.sub(r"^#(?=#* )", "###", (folder / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    optimum = folder / "optimum.py"
    solved = f"\n#### The exact optimum\n\n```text\n{docstring(optimum)}\n```\n" if optimum.exists() else ""
    return text + solved


def agent(name: str) -> str:
    """Who an agent is, and the docstring of its file."""
    file = inspect.getclosurevars({**AGENTS, **FILES}[name]).nonlocals["module"]
    about = ABOUT[name]
    said = docstring(CODE / "agents" / f"{file}.py")
    return f"### {about.written or name}\n\n{about.text} Source: {about.source}.\n\n```text\n{said}\n```\n"


def page() -> str:
    """The whole page."""
    built_in = [name for name in markets() if packages()[name].startswith(BUILT_IN)]
    parts = [HEAD, "## Markets\n", *map(market, built_in), "## Agents\n", *map(agent, [*AGENTS, *FILES])]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
