"""What a shell completes. Nothing is imported before it is asked for: every start of the program loads this file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def complete_preset(incomplete: str) -> list[str]:
    """Presets whose names begin with what is typed."""
    from mmrl.settings.sources import presets

    return [name for name in presets() if name.startswith(incomplete)]


def complete_agent(incomplete: str) -> list[str]:
    """Agents whose names begin with what is typed."""
    from mmrl.agents import AGENTS

    return [name for name in AGENTS if name.startswith(incomplete)]


def complete_metric(incomplete: str) -> list[tuple[str, str]]:
    """Metrics that can be drawn whose names begin with what is typed, each with its sentence."""
    from mmrl.runs.metrics import METRICS

    return [(m.name, m.described) for m in METRICS if m.drawn and m.name.startswith(incomplete)]


def complete_run(ctx: Any, incomplete: str) -> list[str]:
    """Runs whose names begin with what is typed, in the folder that the rest of the line names."""
    from mmrl.runs.names import good_folder
    from mmrl.settings.files import expanded

    given = ctx.params.get("results") or ctx.params.get("run_results") or os.environ.get("MMRL_RESULTS") or "results"
    try:
        root = Path(expanded(str(given), "--results"))
        root = good_folder(root) if ctx.params.get("good_results") else root
        found = list(root.iterdir())
    except (OSError, ValueError):  # a half-typed line is not refused
        return []
    return sorted(f.name for f in found if f.name.startswith(incomplete) and (f / "config.toml").is_file())
