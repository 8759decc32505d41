"""Writes docs/metrics.md from the list of metrics: python docs/metrics.py"""

from __future__ import annotations

from pathlib import Path

from mmrl.runs.metrics import METRICS, PARTS

PAGE = Path(__file__).with_name("metrics.md")
HEAD = """# Metrics

Written by `python docs/metrics.py` from `mmrl/runs/metrics.py`. An epoch of a run is a line of `metrics.jsonl` with
these numbers. Any of them can be drawn: `mmrl plot RUN --metric entropy --metric kl`, or key `v` in `mmrl tui`.
"""


def page() -> str:
    """The whole page."""
    rows = ["| metric | unit | what it is | recorded as |", "|---|---|---|---|"]
    for metric in METRICS:
        keys = f"`{metric.name}_` " + ", ".join(f"`{p}`" for p in metric.parts) if metric.parts else f"`{metric.name}`"
        rows.append(f"| {metric.name.replace('_', ' ')} | {metric.unit} | {metric.text} | {keys} |")
    parts = "\n".join(f"- `{part}`: {text}" for part, text in PARTS.items())
    more = "`event`: the settings that changed before this epoch, and what training noticed in it."
    return f"{HEAD}\n" + "\n".join(rows) + f"\n\nParts of a metric:\n\n{parts}\n\nBeside the numbers: {more}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
