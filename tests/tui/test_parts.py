"""The parts without a screen: smoothing, views, tails, drafts of settings, imports."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cli
from mmrl.plots.smoothing import Ema
from mmrl.settings.build import build
from mmrl.settings.sources import nested
from tui.form import Draft
from tui.processes import shown
from tui.settings import Settings, load_settings, settings_path
from tui.watch import Metrics, Tail
from tui.widgets.cells import age, bar, sparkline
from tui.widgets.ladder import trades
from tui.widgets.view import View


def slow_average(y: list[float], weight: float) -> list[float]:
    mean, count, result = 0.0, 0, []
    for value in y:
        if not math.isfinite(value):
            result.append(math.nan)
            continue
        count += 1
        mean = weight * mean + (1 - weight) * value
        result.append(mean / (1 - weight**count))
    return result


@pytest.mark.parametrize("weight", [0.3, 0.9, 0.99])
def test_the_average_has_no_bias_at_its_start_and_may_be_extended(weight: float) -> None:
    y = np.random.default_rng(1).normal(5, 1, 300)
    y[[3, 100]] = np.nan
    whole = Ema(weight).extended(y)
    np.testing.assert_allclose(whole, slow_average(y.tolist(), weight), rtol=1e-9)
    assert whole[0] == pytest.approx(y[0])
    pieces = Ema(weight)
    for end in (1, 2, 50, 51, 300):
        part = pieces.extended(y[:end])
    np.testing.assert_array_equal(part, whole)
    shorter = pieces.extended(y[10:40])  # another history: begin again
    np.testing.assert_allclose(shorter, slow_average(y[10:40].tolist(), weight), rtol=1e-9)


def test_a_followed_window_sticks_to_the_newest_epoch() -> None:
    view = View()
    view.zoom((1, 101), 0.5)
    assert view.window((1, 101)) == (51, 101)
    assert view.window((1, 201)) == (151, 201)
    view.pan((1, 201), -0.5)
    assert not view.follow and view.window((1, 201)) == (126, 176)
    assert view.window((1, 301)) == (126, 176)
    view.pan((1, 301), 100)
    assert view.follow and view.window((1, 301))[1] == 301
    view.zoom((1, 301), 1000)
    assert view.span is None
    view.reset()
    assert view.window((1, 2)) == (1, 2)


def test_a_tail_reads_whole_lines_and_begins_again_when_the_file_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = Tail(path)
    assert tail.lines() == ([], False)
    path.write_bytes(b"one\ntw")
    assert tail.lines() == ([b"one"], False)
    with path.open("ab") as file:
        file.write(b"o\nthree\n")
    assert tail.lines() == ([b"two", b"three"], False)
    path.write_bytes(b"new\n")
    assert tail.lines() == ([b"new"], True)
    path.unlink()
    assert tail.lines() == ([], True)


def test_metrics_are_columns_with_gaps_where_a_line_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    rows = [
        '{"epoch": 1, "reward_mean": 2.0, "reward_std": 4, "trajectories": 16}',
        "not json",
        '{"epoch": 2, "reward_mean": null, "odd": "text", "flag": true}',
        '{"epoch": 3, "reward_mean": 1e999, "event": {"lr": 0.1}}',
        "[" * 100_000,
        '["epoch"]',
    ]
    path.write_text("\n".join(rows) + '\n{"epoch": 4')
    metrics = Metrics(path)
    assert metrics.poll() and metrics.count == 3
    reward, half = metrics.value_and_half("reward")
    assert reward[0] == 2 and math.isnan(reward[1]) and math.isinf(reward[2])
    assert half is not None and half[0] == pytest.approx(2.13145 * 4 / math.sqrt(15), rel=1e-5)
    assert metrics.events == [(3.0, "learning rate 0.1")]
    assert metrics.last("reward_mean") == 2
    assert not metrics.poll()
    with path.open("a") as file:
        file.write(', "reward_mean": 5}\n')
    assert metrics.poll() and metrics.column("reward_mean")[3] == 5


def test_pipes_and_links_in_place_of_a_file_are_not_read(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert Tail(tmp_path / "pipe").lines() == ([], False)
    assert Tail(tmp_path / "link").lines() == ([], False)


def test_small_pictures() -> None:
    assert sparkline([1, 2, 3, math.nan, 8], 10) == "▁▂▃ █"
    assert sparkline([], 5) == ""
    assert sparkline([2.0] * 50, 5) == "▁▁▁▁▁"
    assert len(sparkline(list(range(1000)), 7)) == 7
    assert bar(5, 10, 4) == "━━──"
    assert bar(99, 10, 4) == "━━━━"
    assert bar(1, 0, 4) == "────"
    assert [age(s) for s in (0, 90, 7_300, 200_000, None)] == ["0 s", "2 min", "2 h", "2 d", "-"]
    assert [age(s) for s in (59.4, 59.7, 3_585, 86_300)] == ["59 s", "1 min", "1 h", "1 d"]


def test_trades_are_the_changes_of_the_inventory() -> None:
    inventory = np.array([0, 0, 2, 2, -1.0])
    bid, ask = np.arange(5.0), np.arange(5.0) + 10
    assert trades(inventory, bid, ask, 4) == [(4, -3.0, 13.0), (2, 2.0, 1.0)]
    assert trades(inventory, bid, ask, 1) == []


CHANGES: list[dict[str, str]] = [
    {},
    {"training.lr": "0.02", "training.ne": "7", "market.uniform": "true"},
    {"training.td": "true", "training.lambd": "0.5", "run.name": "a-name", "policy.log_std": "-1.5"},
    {"training.algorithm": "reinforce", "policy.kind": "categorical", "policy.delta_grid": "0.5,1"},
    {
        "market.name": "avellaneda-stoikov",
        "reward.utility": "custom",
        "reward.immediate": "pnl",
        "policy.as_delta_centre": "-0.25",
    },
]


@pytest.mark.parametrize("preset", ["", "quickstart", "lineage"])
@pytest.mark.parametrize("changes", CHANGES)
def test_the_command_gives_the_settings_of_the_form(
    preset: str, changes: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    draft = Draft()
    draft.start_from(preset)
    draft.texts.update(changes)
    if draft.errors():
        pytest.skip("the preset contradicts the change")
    with pytest.raises(SystemExit) as done:
        cli.main(["train", *draft.arguments(), "--dry-run", "--json"])
    assert done.value.code == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)["config"]
    values, _ = draft.parsed()
    expected = build(nested(values))
    for key in values:
        group, _, name = key.partition(".")
        value = getattr(getattr(expected, group), name)
        assert printed[key] == (list(value) if isinstance(value, tuple) else value), key


def test_errors_stand_at_their_field() -> None:
    draft = Draft()
    draft.texts.update({"training.lr": "2", "training.ne": "many", "market.nt": "0"})
    errors = draft.errors()
    assert set(errors) == {"training.lr", "training.ne", "market.nt"}
    assert errors["training.lr"] == "it must be a number > 0, <= 1"
    draft.start_from("")
    draft.texts.update({"training.td": "true", "training.noadv": "true"})
    assert set(draft.errors()) == {"training.td"}


def test_fields_that_do_nothing_say_why() -> None:
    draft = Draft()
    inactive = draft.inactive()
    assert inactive["market.sigma"] == "not used: the market is book"
    assert inactive["market.size_grid"] == "not used: the policy is gaussian"
    assert "TD" in inactive["training.lambd"]
    assert "market.nt" not in inactive and "training.clip" not in inactive
    draft.texts["market.name"] = "avellaneda-stoikov"
    draft.texts["training.algorithm"] = "reinforce"
    inactive = draft.inactive()
    assert "market.sigma" not in inactive and "market.tick" in inactive and "training.clip" in inactive


def test_the_shown_command_is_quoted() -> None:
    assert shown(["--name", "a b"]) == "mmrl train --name 'a b'"
    assert shown([], "elsewhere") == "mmrl train --results elsewhere"


def test_settings_are_remembered_and_nonsense_is_not() -> None:
    load_settings().change(smoothing=0.9)
    assert load_settings().smoothing == 0.9
    settings_path().write_text('{"smoothing": "much", "theme": 3, "other": 1}')
    assert load_settings() == Settings()
    settings_path().write_text("[[[")
    assert load_settings().sort == "updated"
    for harm in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        settings_path().unlink()
        harm(settings_path())
        assert load_settings() == Settings()  # neither waits for a writer nor reads without end


def test_neither_torch_nor_numba_is_imported() -> None:
    modules = "app, run_index, form, processes, watch, screens.runs, screens.run, screens.new_run, screens.compare"
    names = ", ".join(f"tui.{name.strip()}" for name in modules.split(","))
    code = f"import sys, {names}; print(sorted({{'torch', 'numba', 'scipy'}} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_without_a_terminal_it_says_so_and_exits_with_2() -> None:
    done = subprocess.run(
        [sys.executable, cli.__file__, "tui"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "terminal" in done.stderr
