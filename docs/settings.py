"""Writes docs/settings.md from the declarations of the settings: python docs/settings.py"""

from __future__ import annotations

from pathlib import Path

from mmrl.settings.fields import FieldSpec, fields
from mmrl.settings.registry import BUILT_IN, markets, packages, settings_class

PAGE = Path(__file__).with_name("settings.md")
HEAD = """# Settings

Written by `python docs/settings.py` from the declarations in `mmrl/settings/groups.py` and the markets' `settings.py`.
Any of them can be given as a flag, as `--set key=value`, in a TOML file (`--config`), or as an environment variable
(`MMRL_` and the flag's name). A setting that has no effect with the others is refused where a flag or a variable asks
for it, and noted where a file does; the last column says when. A setting of another market is
always refused.
"""


def row(spec: FieldSpec) -> str:
    """One line of a table."""
    allowed = " ".join(f"`{choice}`" for choice in spec.choices) or spec.range.replace("<", "&lt;").replace(">", "&gt;")
    flags = ", ".join(f"`{flag}`" for flag in (*spec.flags, *spec.switches))
    idle = "; ".join(condition.otherwise for condition in spec.when)
    return f"| `{spec.key}` | {flags} | {spec.shown_default} | {allowed} | {spec.help} | {idle} |"


def page() -> str:
    """The whole page."""
    built_in = [name for name in markets() if packages()[name].startswith(BUILT_IN)]
    tables = [(name, [spec for spec in fields(name) if spec.group == "market"]) for name in built_in]
    parts = [HEAD]
    for name, specs in tables:
        parts.append(f"\n## Market: {name}\n\n{(settings_class(name).__doc__ or '').strip()}\n")
        parts.append(table(specs))
    for group in ("reward", "policy", "training", "run"):
        specs = [spec for spec in fields(built_in[0]) if spec.group == group]
        parts.append(f"\n## {group.title()}\n")
        parts.append(table(specs))
    return "\n".join(parts)


def table(specs: list[FieldSpec]) -> str:
    """Settings as a Markdown table."""
    head = "| setting | flags | default | allowed | what it is | no effect if |\n|---|---|---|---|---|---|"
    return "\n".join([head, *(row(spec) for spec in specs)]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
