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
    try:
        found = list(_root(ctx).iterdir())
    except (OSError, ValueError):  # a half-typed line is not refused
        return []
    return sorted(f.name for f in found if f.name.startswith(incomplete) and (f / "config.toml").is_file())


def complete_run_or_group(ctx: Any, incomplete: str) -> list[str]:
    """Runs, and groups of them, whose names begin with what is typed."""
    from mmrl.runs.listing import find_runs

    try:
        groups = {info.group for info in find_runs(_root(ctx)) if info.group and info.group.startswith(incomplete)}
    except (OSError, ValueError):
        groups = set()
    return sorted({*complete_run(ctx, incomplete), *groups})


def complete_trashed(ctx: Any, incomplete: str) -> list[str]:
    """Runs of the trash folder whose names begin with what is typed."""
    from mmrl.runs.trash import trashed

    try:
        return [name for name in trashed(_root(ctx)) if name.startswith(incomplete)]
    except (OSError, ValueError):
        return []


def _root(ctx: Any) -> Path:
    """The results folder that the rest of the line names."""
    from mmrl.runs.names import good_folder
    from mmrl.settings.files import expanded

    given = ctx.params.get("results") or ctx.params.get("run_results") or os.environ.get("MMRL_RESULTS") or "results"
    root = Path(expanded(str(given), "--results"))
    return good_folder(root) if ctx.params.get("good_results") else root


def complete_market(incomplete: str) -> list[str]:
    """Markets whose names begin with what is typed."""
    from mmrl.settings.registry import markets

    return [name for name in markets() if name.startswith(incomplete)]


def complete_settings(ctx: Any, incomplete: str) -> list[str]:
    """What `mmrl config` takes, beside files: runs and presets whose names begin with what is typed."""
    return list(dict.fromkeys([*complete_run(ctx, incomplete), *complete_preset(incomplete)]))


def complete_change(incomplete: str) -> list[tuple[str, str]]:
    """What a training run can change, KEY=."""
    from mmrl.runs.control import LIVE
    from mmrl.settings.fields import field

    return [(f"{name}=", field(key).help) for name, key in LIVE.items() if f"{name}=".startswith(incomplete)]


def complete_format(incomplete: str) -> list[str]:
    """Formats of data whose names begin with what is typed."""
    from mmrl.data.recognise import AUTO, READERS

    return [name for name in (AUTO, *READERS) if name.startswith(incomplete)]


def complete_assignment(incomplete: str) -> list[tuple[str, str]]:
    """Settings as `--set` takes them, KEY=, by their short and dotted names; after the = the choices."""
    from mmrl.settings.fields import fields

    key, equals, typed = incomplete.partition("=")
    if equals:
        found = [spec for spec in fields() if key in (spec.option_name, spec.key)]
        return [
            (f"{key}={choice}", spec.help) for spec in found for choice in _values(spec) if choice.startswith(typed)
        ]
    names = [(name, spec.help) for spec in fields() for name in (spec.option_name, spec.key)]
    return [(f"{name}=", help) for name, help in names if name.startswith(key)]


def _values(spec: Any) -> tuple[str, ...]:
    return ("true", "false") if spec.kind == "bool" else spec.choices
