"""Old names of settings load with a note, settings of other markets and those without effect are refused."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mmrl.commands.options import chosen
from mmrl.markets.avellaneda_stoikov.settings import Settings as AvellanedaStoikov
from mmrl.markets.book.settings import Settings as Book
from mmrl.runs.config_file import read_config
from mmrl.settings import sources
from mmrl.settings.declare import When
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import NAME, FieldSpec, fields, shown, value_of
from mmrl.settings.market import MarketSettings
from mmrl.settings.model import Config
from mmrl.settings.registry import markets, settings_class
from mmrl.settings.sources import dump_toml, load_toml, resolve, set_values
from mmrl.settings.upgrade import current, new_key, old_flags
from tests.conftest import game_of

ROOT = Path(__file__).resolve().parents[2]
GAME = "avellaneda-stoikov"
OLD = {
    "book": {
        "market.max_dw": ("reward.max_dw", 2000.0),
        "policy.size_centre": ("market.size_centre", 4.0),
        "policy.size_scale": ("market.size_scale", 2.0),
        "policy.delta_centre": ("market.delta_centre", 1.25),
        "policy.delta_scale": ("market.delta_scale", 0.5),
        "policy.size_grid": ("market.size_grid", (1, 2)),
        "policy.delta_grid": ("market.delta_grid", (0.5, 1.0)),
    },
    GAME: {
        "market.max_dw": ("reward.max_dw", 2000.0),
        "market.as_midprice": ("market.midprice", 50.0),
        "policy.as_delta_centre": ("market.delta_centre", 0.75),
        "policy.as_delta_scale": ("market.delta_scale", 0.25),
        "policy.as_tilt": ("market.skew", "risk"),
        "policy.delta_grid": ("market.delta_grid", (0.5, 1.0)),
    },
}
"""For each market every old name with the new one and a value that is not the default."""


def refused(flags: dict[str, Any], **where: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(flags, **where)
    text = str(caught.value)
    assert "\n" not in text
    return text


def notes(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "mmrl"]
    assert all("\n" not in text for text in found)
    return found


def toml(values: Iterable[tuple[str, Any]]) -> str:
    """A file of settings by dotted key."""
    tables: dict[str, list[str]] = {}
    for key, value in values:
        group, _, name = key.partition(".")
        tables.setdefault(group, []).append(f"{name} = {sources.toml_value(value)}")
    return "\n".join(f"[{group}]\n" + "\n".join(lines) for group, lines in tables.items()) + "\n"


@pytest.mark.parametrize(
    ("folder", "kind", "values", "origins"),
    [
        (
            "tests/data/runs/v1",
            Book,
            {
                "market.nt": 20, "market.midprice": 533.0, "market.book_size": 10000, "market.gamma": 0.1,
                "reward.max_dw": 3000.0, "market.size_centre": 3.0, "market.size_scale": 3.0,
                "market.delta_centre": 1.5, "market.delta_scale": 1.0, "market.size_grid": (-2, 0, 1, 2, 3, 4, 5, 8),
                "policy.layer_size": 8, "training.lambd": 0.95, "run.name": "v1",
            },
            {"market.nt": "flag", "policy.layer_size": "flag", "run.plot_after": "flag"},
        ),
        (
            "tests/data/runs/avellaneda-stoikov-ppo",
            AvellanedaStoikov,
            {
                "market.nt": 200, "market.midprice": 100.0, "market.sigma": 2.0, "market.start_inventory": 10,
                "market.delta_centre": 1.0, "market.delta_scale": 0.45, "market.skew": "risk",
                "market.delta_grid": (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0), "reward.max_dw": 3000.0,
                "reward.utility": "entropic", "policy.layer_size": 32, "training.lr_end": 0.02,
            },
            {"market.skew": "preset avellaneda-stoikov", "market.k": "preset avellaneda-stoikov"},
        ),
        (
            "tests/data/runs/quickstart",
            Book,
            {"market.nt": 500, "market.delta_centre": 1.5, "training.ne": 200, "reward.max_dw": 3000.0},
            {"market.name": "preset quickstart", "training.minibatches": "preset quickstart"},
        ),
    ],
    ids=["v1", GAME, "quickstart"],
)  # fmt: skip
def test_runs_of_an_earlier_version_load(
    folder: str, kind: type[MarketSettings], values: dict[str, Any], origins: dict[str, str]
) -> None:
    stored = read_config(ROOT / folder)
    assert type(stored.config.market) is kind
    specs = {spec.key: spec for spec in fields(stored.config.market.name)}
    assert {key: value_of(stored.config, specs[key]) for key in values} == values
    assert origins.items() <= stored.origins.items()
    assert stored.origins.keys() <= specs.keys()  # no old name is left
    assert stored.note.startswith("settings of an earlier version were read: market.max_dw is now reward.max_dw, ")
    assert "\n" not in stored.note
    again = load_toml(dump_toml(stored.config, stored.origins, stored.meta))
    assert (again.config, again.origins, again.meta, again.note) == (stored.config, stored.origins, stored.meta, "")


def test_every_old_name_is_tried_below() -> None:
    for market in markets():
        renamed = settings_class(market).renamed().keys()
        assert renamed | {"market.max_dw"} == OLD[market].keys() if market in OLD else not renamed


@pytest.mark.parametrize("market", OLD)
def test_a_file_with_the_old_names_of_a_market(tmp_path: Path, caplog: pytest.LogCaptureFixture, market: str) -> None:
    file = tmp_path / "old.toml"
    file.write_text(toml([(NAME, market), *((key, value) for key, (_, value) in OLD[market].items())]))
    config, origins = resolve({}, file)
    specs = {spec.key: spec for spec in fields(market)}
    for new, value in OLD[market].values():
        assert value_of(config, specs[new]) == value
        assert origins[new] == f"file {file}"
    assert not OLD[market].keys() - {new for new, _ in OLD[market].values()} & origins.keys()
    first = notes(caplog)[0]
    assert first.startswith(f"mmrl: file {file}: settings of an earlier version were read: ")
    assert all(f"{old} is now {new}" in first for old, (new, _) in OLD[market].items())


def test_old_files_held_the_settings_of_every_market(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of a name that two markets have now each market takes what it had itself."""
    file = tmp_path / "old.toml"
    both = {key: value for table in OLD.values() for key, (_, value) in table.items()}
    for market in OLD:
        own = {"market.midprice": 500.0, "market.sigma": 3.0, "market.book_size": 50}
        file.write_text(toml([(NAME, market), *both.items(), *own.items()]))
        config, _ = resolve({}, file)
        want: dict[str, Any] = {
            new.partition(".")[2]: value for new, value in OLD[market].values() if new.startswith("market.")
        }
        want |= {"midprice": 500.0, "book_size": 50} if market == "book" else {"sigma": 3.0}
        assert config.market == settings_class(market)(**want)
        assert config.reward.max_dw == 2000.0
    assert len(notes(caplog)) >= 2


def test_names_of_today_are_not_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "new.toml"
    file.write_text(dump_toml(resolve({}, preset=GAME)[0]))
    assert resolve({}, file)[0] == resolve({}, preset=GAME)[0]
    assert notes(caplog) == []
    assert load_toml(file.read_text()).note == ""


def test_an_old_name_with_set_variable_and_flag(caplog: pytest.LogCaptureFixture) -> None:
    def midprice(flags: dict[str, Any], environ: dict[str, str] | None = None) -> tuple[Any, str]:
        config, origins = resolve({NAME: GAME, **flags}, environ=environ)
        return game_of(config).midprice, origins["market.midprice"]

    assert set_values(["as_midprice=50"]) == {"market.as_midprice": 50.0}
    assert midprice(set_values(["as_midprice=50"])) == (50.0, "flag")
    assert midprice(set_values(["market.as_midprice=50"])) == (50.0, "flag")
    with pytest.raises(ConfigError, match=r"market\.as_midprice is given twice, as 50\.0 and 51\.0: keep one"):
        set_values(["market.as_midprice=50", "as_midprice=51"])
    assert notes(caplog) == ["mmrl: market.as_midprice: it is now market.midprice"] * 2
    caplog.clear()
    assert midprice({}, {"MMRL_AS_MIDPRICE": "50"}) == (50.0, "environment MMRL_AS_MIDPRICE")
    assert notes(caplog) == ["mmrl: MMRL_AS_MIDPRICE: it is now market.midprice"]
    caplog.clear()
    assert midprice(chosen({"old__as_midprice": "50"}, [])) == (50.0, "flag")
    assert notes(caplog) == ["mmrl: market.as_midprice: it is now market.midprice"]


@pytest.mark.parametrize("environ", [{}, {"MMRL_AS_MIDPRICE": "50"}], ids=["flag", "variable"])
def test_an_old_name_of_another_market_is_refused(environ: dict[str, str]) -> None:
    flags = {} if environ else set_values(["as_midprice=50"])
    with pytest.raises(ConfigError, match="has no effect: it is a setting of avellaneda-stoikov, and the market is bo"):
        resolve(flags, environ=environ)


def test_an_old_name_that_contradicts_the_new_one_is_refused() -> None:
    same = resolve({NAME: GAME, **set_values(["as_midprice=50", "midprice=50"])})[0]
    assert game_of(same).midprice == 50.0
    with pytest.raises(ConfigError, match=r"as_midprice = 50\.0 contradicts market\.midprice = 51\.0"):
        resolve({NAME: GAME, **set_values(["as_midprice=50", "midprice=51"])})


@pytest.mark.parametrize("flag", sorted(old_flags()))
def test_flags_of_old_names_set_the_new_key(flag: str, caplog: pytest.LogCaptureFixture) -> None:
    key = old_flags()[flag]
    now, value = OLD[GAME][key]
    parameter = "old__" + flag.lstrip("-").replace("-", "_")
    assert chosen({parameter: shown(value)}, []) == {key: value}
    assert current({key: value}, GAME) == {now: value}
    assert notes(caplog) == [f"mmrl: {key}: it is now {now}"]
    assert new_key(flag) == now


def mmrl(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MMRL_")}
    return subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *arguments],
        cwd=cwd, env={**clean, "NO_COLOR": "1", "COLUMNS": "200", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["--set", "as_midprice=50"], {}, "mmrl: market.as_midprice: it is now market.midprice"),
        (["--as-midprice", "50"], {}, "mmrl: market.as_midprice: it is now market.midprice"),
        ([], {"MMRL_AS_MIDPRICE": "50"}, "mmrl: MMRL_AS_MIDPRICE: it is now market.midprice"),
    ],
    ids=["set", "flag", "variable"],
)
def test_old_names_on_the_command_line(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], told: str
) -> None:
    done = mmrl("train", "--market", GAME, *arguments, "--dry-run", cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert "midprice = 50.0" in done.stdout.splitlines()
    assert done.stderr.splitlines() == [told]


def test_settings_of_another_market_on_the_command_line(tmp_path: Path) -> None:
    done = mmrl("train", "--market", GAME, "--book-size", "5000", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == [
        "mmrl: market.book_size has no effect: the market is avellaneda-stoikov, only book has it: "
        "drop it, or use --market book"
    ]
    assert list(tmp_path.iterdir()) == []


FOREIGN = [(spec, market) for spec in fields() for market in markets() if spec.markets and market not in spec.markets]


@pytest.mark.parametrize(("spec", "market"), FOREIGN, ids=[f"{market}-{spec.name}" for spec, market in FOREIGN])
def test_settings_of_another_market_are_refused_from_every_source(tmp_path: Path, spec: FieldSpec, market: str) -> None:
    owners = " and ".join(spec.markets) + (" have" if len(spec.markets) > 1 else " has")
    want = (
        f"{spec.key} has no effect: the market is {market}, only {owners} it: "
        f"drop it, or use --market {spec.markets[0]}"
    )
    assert refused({NAME: market, spec.key: spec.default}) == want
    assert refused({NAME: market, **set_values([f"{spec.name}={shown(spec.default)}"])}) == want
    variable = {spec.variable: shown(spec.default)}
    assert refused({NAME: market}, environ=variable) == f"environment {spec.variable}: {want}"
    file = tmp_path / "other.toml"
    file.write_text(toml([(NAME, market), (spec.key, spec.default)]))
    text = refused({}, config_file=file)
    assert want in text and str(file) in text
    text = refused({NAME: market}, config_file=_written(tmp_path, [(spec.key, spec.default)]))
    assert want in text


def _written(folder: Path, values: Iterable[tuple[str, Any]]) -> Path:
    file = folder / "my.toml"
    file.write_text(toml(values))
    return file


DECLARED = [
    (market, spec, condition)
    for market in markets()
    for spec in fields(market)
    if spec.group == "market" or market == markets()[0]
    for condition in spec.when
]
"""Every condition that a setting is declared with; those of the other groups are the same in all markets."""
CONTRADICTIONS = {
    "reward.inventory_penalty": "reward.inventory_penalty = 0.001 is no part of reward.utility = 'linear'",
    "reward.always_final": "reward.always_final = true needs a final reward",
}
"""Settings that contradict what makes them idle: refused from every source, in words of their own."""
SITUATIONS: tuple[dict[str, Any], ...] = (
    {"market.quotes": 2},
    {},
    {"reward.utility": "linear"},
    {"reward.utility": "cara"},
    {"reward.utility": "damped"},
    {"reward.utility": "guo-lin-huang"},
    {"reward.utility": "mean-variance"},
    {"reward.immediate": "none"},
    {"reward.immediate": "pnl"},
    {"reward.final": "none"},
    {"reward.final": "cara"},
    {"policy.kind": "categorical"},
    {"policy.kind": "categorical", "market.delta_grid": (0.5, 1.0)},
    {"training.algorithm": "reinforce"},
    {"training.noclip": True},
    {"training.noadv": True},
    {"training.td": True},
    {"market.market_law": "spread-queue"},
    {"market.size_law": "table"},
    {"market.decide_by": "events"},
    {"market.efficient_price": "ornstein-uhlenbeck"},
    {"market.latency_law": "constant"},
    {"market.actions": "limit+market"},
    {"policy.kind": "categorical", "market.actions": "limit+market"},
    {"market.arrivals": "orders"},
    {
        "market.depletion": "redraw",
        "market.levels": 1,
        "market.limit_rates": (1.2,),
        "market.cancel_rates": (0.5,),
    },
)


def other_value(spec: FieldSpec) -> Any:
    """A value that is allowed and not the default."""
    if spec.kind == "bool":
        return not spec.default
    if spec.kind == "choice":
        return next(choice for choice in spec.choices if choice != spec.default)
    if spec.kind == "ints":
        turned = spec.default[::-1][:3]
        return turned if turned != spec.default else (spec.default[0] + 1,)
    if spec.kind == "floats":
        return tuple(0.5 * number for number in spec.default[: spec.length or 3]) or (0.5, 1.0)
    half = type(spec.default)(spec.default * 0.5) if spec.default else 0.001
    return half if half >= spec.bounds.get("ge", -math.inf) else 2 * spec.default


def outcome(flags: dict[str, Any], **where: Any) -> str | Config:
    """The config, or the line that refuses it."""
    try:
        return resolve(flags, **where)[0]
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize(
    ("market", "spec", "condition"), DECLARED, ids=[f"{m}-{s.key}-{c.otherwise[:20]}" for m, s, c in DECLARED]
)
def test_settings_without_effect(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    market: str,
    spec: FieldSpec,
    condition: When,
) -> None:
    """By flag and variable they are refused, from a file noted; where they matter, and of a preset, nothing is said."""
    value = other_value(spec)
    told = f"{spec.key} = {sources.toml_value(value)} has no effect: {condition.otherwise}"
    idle, busy = [], []
    for situation in SITUATIONS:
        if spec.key in situation:
            continue
        # a second condition of the same setting is tried where the first one is met
        found = outcome({NAME: market, **situation, spec.key: value})
        if isinstance(found, Config):
            assert value_of(found, spec) == value
            busy.append(situation)
        elif found.startswith(told):
            assert found == f"{told}: drop it, or change {' or '.join(condition.keys())}"
            idle.append(situation)
    assert busy, "the setting matters nowhere"
    if not condition.refused:
        assert idle == []
        return
    if spec.key in CONTRADICTIONS:
        situation = {NAME: market, "reward.utility": "linear"}
        assert idle == [] and refused({**situation, spec.key: value}).startswith(CONTRADICTIONS[spec.key])
        file = _written(tmp_path, [(NAME, market), (spec.key, value)])
        assert CONTRADICTIONS[spec.key] in refused(situation, config_file=file)
        return
    assert idle, "nothing makes the setting idle"
    here = {NAME: market, **idle[0]}
    assert refused({NAME: market, **idle[0], **set_values([f"{spec.key}={shown(value)}"])}).startswith(told)
    by_variable = refused(here, environ={spec.variable: shown(value)})
    assert by_variable.startswith(f"environment {spec.variable}: {told}: drop it")
    assert notes(caplog) == []

    file = _written(tmp_path, [(NAME, market), (spec.key, value)])
    assert value_of(resolve(here, file)[0], spec) == value
    assert notes(caplog) == [f"mmrl: file {file}: {told}"]
    caplog.clear()
    monkeypatch.setattr(sources, "read_preset", lambda name: {NAME: market, spec.key: value})
    assert value_of(resolve(here, preset="mine")[0], spec) == value
    assert notes(caplog) == []  # not asked for by the user
    assert isinstance(outcome({NAME: market, **busy[0]}, config_file=file), Config)
    assert notes(caplog) == []
    file = _written(tmp_path, [(NAME, market), (spec.key, spec.default)])  # as every config.toml has it
    resolve(here, file)
    assert notes(caplog) == []


@pytest.mark.parametrize(
    ("flags", "idle"),
    [
        ({"algorithm": "reinforce", "clip": 0.1}, "training.clip = 0.1 has no effect: the algorithm is reinforce"),
        ({"algorithm": "reinforce", "minibatches": 2}, "training.minibatches = 2 has no effect: the algorithm is rein"),
        ({"algorithm": "reinforce", "update_freq": 1}, "training.update_freq = 1 has no effect: the algorithm is rein"),
        ({"noclip": True, "clip": 0.1}, "training.clip = 0.1 has no effect: the ratio is not clipped"),
        ({"lambd": 0.5}, "training.lambd = 0.5 has no effect: TD(lambda) returns are off"),
        ({"utility": "linear", "immediate": "pnl"}, 'reward.immediate = "pnl" has no effect: the utility says'),
        ({"immediate": "pnl", "max_dw": 5.0}, "reward.max_dw = 5.0 has no effect: no wealth reward is paid"),
        ({"immediate": "none", "add_time": True}, "reward.add_time = true has no effect: steps pay nothing"),
        ({"damping": 0.1}, "reward.damping = 0.1 has no effect: the utility dampens nothing"),
        ({"cara_alpha": 1.0}, "reward.cara_alpha = 1.0 has no effect: the final reward is not cara"),
        ({"risk_aversion": 0.2}, "reward.risk_aversion = 0.2 has no effect: no risk is weighed by it"),
        (
            {"market": GAME, "utility": "mean-variance", "risk_aversion": 0.2},  # the market states gamma itself
            "reward.risk_aversion = 0.2 has no effect: no risk is weighed by it",
        ),
        ({"policy.kind": "categorical", "log_std": -1.0}, "policy.log_std = -1.0 has no effect"),
        ({"policy.kind": "categorical", "size_centre": 2.0}, "market.size_centre = 2.0 has no effect"),
        ({"size_grid": (1, 2)}, "market.size_grid = [1, 2] has no effect: the policy is gaussian"),
        (
            {"market": GAME, "policy.kind": "categorical", "delta_grid": (0.5, 1.0), "skew": "risk"},
            'market.skew = "risk" has no effect',
        ),
    ],
)
def test_settings_without_effect_by_name(flags: dict[str, Any], idle: str) -> None:
    assert refused(flags).startswith(idle)


@pytest.mark.parametrize(
    "flags",
    [
        {"algorithm": "reinforce", "noclip": True},
        {"td": True, "lambd": 0.5},
        {"utility": "mean-variance", "risk_aversion": 0.2},
        {"utility": "cara", "risk_aversion": 0.2, "cara_alpha": 1.0, "always_final": True},
        {"utility": "cara", "final_penalty": 0.1},
        {"inventory_penalty": 0.1},
        {"policy.kind": "categorical", "size_grid": (1, 2)},
        {"market": GAME, "skew": "risk"},
    ],
)
def test_settings_that_matter_are_taken(flags: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    resolve(flags)
    assert notes(caplog) == []


def test_a_preset_overridden_says_nothing_of_its_other_values(caplog: pytest.LogCaptureFixture) -> None:
    config, origins = resolve({"policy.kind": "categorical"}, preset=GAME)
    assert config.policy.log_std == -0.8 and origins["policy.log_std"] == f"preset {GAME}"
    assert notes(caplog) == []
    assert refused({"policy.kind": "categorical", "log_std": -0.8}).startswith("policy.log_std = -0.8 has no effect")


def test_not_to_clip_without_ppo_is_fine(tmp_path: Path) -> None:
    done = mmrl("train", "--noppo", "--noclip", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert {'algorithm = "reinforce"', "noclip = true"} <= set(done.stdout.splitlines())
