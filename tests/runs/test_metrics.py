"""The list of metrics is complete: what a run records is in it, and what is in it is recorded."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mmrl.commands.completion import complete_metric
from mmrl.commands.plot import plot
from mmrl.runs.metrics import KEYS, METRICS, described, drawable, unit_of
from mmrl.settings.errors import ConfigError

EARLIER = {"value_se"}
"""Keys that only runs of an earlier version have."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs in a market with an exact optimum, so that every kind of metric is recorded."""
    from mmrl.display.json_lines import JsonView
    from mmrl.settings.sources import resolve
    from mmrl.training.start import train

    root = tmp_path_factory.mktemp("results")
    flags = {"market": "avellaneda-stoikov", "nt": 10, "nb": 4, "ne": 2, "threads": 1, "results": str(root)}
    config, origins = resolve({**flags, "plot_after": 0, "name": "tiny"})
    with (root / "out").open("w") as out:
        assert train(config, origins, load=None, expand=0, view=JsonView(out, out)) == 0
    return root / "tiny"


def recorded(run: Path) -> list[str]:
    return list(json.loads((run / "metrics.jsonl").read_text().splitlines()[-1]))


def test_every_recorded_key_is_in_the_list_and_the_other_way_round(run: Path) -> None:
    keys = set(recorded(run)) - {"event", "warnings"}
    assert keys - set(KEYS) == set()
    assert set(KEYS) - keys == EARLIER


def test_every_metric_has_a_sentence() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"[A-Z][^.]{15,110}", metric.text), metric.name
    assert len({metric.text for metric in METRICS}) == len(METRICS)
    assert len(KEYS) == sum(len(metric.keys) for metric in METRICS)


def test_units_by_name_and_by_key() -> None:
    assert unit_of("inventory") == unit_of("inventory_q10") == unit_of("final_inventory_std") == "shares"
    assert unit_of("steps_per_second") == "1/s" and unit_of("clip_fraction") == unit_of("unknown") == ""
    assert described("kl").startswith("KL divergence") and described("kl").endswith("(nats)")
    assert described("of tomorrow") == "recorded by another version"


def test_what_can_be_drawn_of_a_run(run: Path) -> None:
    names = drawable(recorded(run))
    assert names[:3] == ["reward", "value", "inventory"] and "optimality" in names
    assert not {"epoch", "wall", "trajectories", "reward_std", "value_q10"} & set(names)
    assert drawable(["reward_std", "epoch", "kl", "foo_mean"]) == ["kl", "foo"]


def test_names_are_completed_and_misspelt_ones_refused(run: Path) -> None:
    assert [name for name, _ in complete_metric("final")] == ["final_inventory"]
    assert dict(complete_metric(""))["entropy"] == "Entropy of the policy: how much it explores (nats)"
    with pytest.raises(
        ConfigError, match=r"unknown metric 'rewrad': there are reward, value, .*: did you mean 'reward'"
    ):
        plot([run.name], False, str(run.parent), metrics=["rewrad"])
