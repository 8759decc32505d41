"""Settings: declared once, checked, merged by precedence, written and read back."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.markets.contract import spec_of
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import NAME, FieldSpec, field, fields, parse_text, shown, value_of
from mmrl.settings.model import Config
from mmrl.settings.registry import markets
from mmrl.settings.sources import dump_toml, load_toml, nested, replaced, resolve, set_values
from tests.conftest import book_of, game_of

DECLARED = [(market, spec) for market in markets() for spec in fields(market)]
"""Every setting as every market declares it."""
NUMBERS = [(market, spec) for market, spec in DECLARED if spec.kind in ("int", "float")]


def refusal(flags: dict[str, Any], **sources: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(flags, **sources)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_config_cannot_be_changed() -> None:
    config = Config()
    with pytest.raises(ConfigError, match=r"^lr = 1\.0 cannot be assigned: .* config\.but\(\.\.\.\)"):
        config.training.lr = 1.0
    with pytest.raises(ConfigError, match="cannot be assigned"):
        config.market = config.market
    with pytest.raises(ConfigError, match="nb cannot be deleted"):
        del config.training.nb
    assert config == Config()


def test_every_setting_has_help_a_flag_and_a_unique_name() -> None:
    for market in ("", *markets()):
        names = [spec.option_name for spec in fields(market)]
        flags = [flag for spec in fields(market) for flag in (*spec.flags, *spec.switches)]
        assert len(set(names)) == len(names)
        assert len(set(flags)) == len(flags)
        assert all(spec.help and any(flag.startswith("--") for flag in spec.flags) for spec in fields(market))


def test_numbers_are_bounded_on_both_sides() -> None:
    for market, spec in NUMBERS:
        assert {"ge", "gt"} & spec.bounds.keys(), (market, spec.key)
        assert {"le", "lt"} & spec.bounds.keys(), (market, spec.key)


@pytest.mark.parametrize(("market", "spec"), NUMBERS, ids=[f"{market}-{spec.key}" for market, spec in NUMBERS])
def test_a_value_beyond_a_bound_is_refused_with_field_value_and_range(market: str, spec: FieldSpec) -> None:
    for bound, away in (("ge", -math.inf), ("gt", 0), ("le", math.inf), ("lt", 0)):
        if bound in spec.bounds:
            edge = spec.bounds[bound]
            if spec.kind == "int":
                value: float = int(edge) + (away > 0) - (away < 0)
            else:
                value = math.nextafter(edge, away) if away else float(edge)
            text = refusal({NAME: market, spec.key: value})
            assert text.startswith(f"{spec.key} = {value!r} ")
            assert spec.range in text
            assert f"default is {spec.shown_default}" in text


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"lr": math.nan}, "training.lr = nan is not allowed"),
        ({"nt": True}, "market.nt = True"),
        ({"nt": 10.5}, "market.nt = 10.5"),
        ({"nt": "10"}, "market.nt = '10'"),
        ({"td": 1}, "training.td = 1 is not allowed: it must be true or false"),
        ({"market": "avellaneda-stoikov", "fill": "linar"}, "one of linear, poisson"),
        ({"fill": "linar"}, "market.fill has no effect: the market is book, only avellaneda-stoikov has it"),
        ({"intensity": (1.0, 2.0)}, "a list of 6 finite numbers"),
        ({"size_grid": ()}, "a list of 1 to 256 whole numbers"),
        ({"learning_rat": 1}, "unknown key 'learning_rat'"),
        ({"run.lr": 0.1}, "unknown key 'run.lr': it is training.lr"),
        ({"lr": datetime.date(1979, 5, 27)}, "training.lr = 1979-05-27 is not allowed"),
        ({"lambda": 1}, "unknown key 'lambda': use lambd"),
        ({"td": True, "noadv": True}, "drop --td or --noadv"),
        ({"immediate": "none", "final": "none"}, "nothing to learn"),
        ({"always_final": True, "final": "none"}, "needs a final reward"),
        ({"market": "avellaneda-stoikov", "uniform": True}, "market.uniform has no effect: the market is"),
        ({"market": "avellaneda-stoikov", "n_obs": 2}, "market.n_obs has no effect: the market is avellaneda-stoikov"),
        ({"engine": "compiled", "device": "cuda"}, "--engine tensor"),
        ({"delta_grid": (-1.0, 1.0)}, "market.delta_grid"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(flags: dict[str, Any], words: str) -> None:
    assert words in refusal(flags)


def test_neighbours_of_the_contradictions_are_fine() -> None:
    for flags in (
        {"td": True},
        {"noadv": True},
        {"algorithm": "reinforce", "noclip": True},
        {"immediate": "none", "final": "none", "inventory_penalty": 0.1},
        {"engine": "tensor", "device": "cuda"},
    ):
        resolve(flags)


def test_precedence_is_flag_environment_file_preset_default(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text("nb = 3\n[training]\nne = 3\nlr = 0.3\n[market]\nnt = 3\n")
    environ = {"MMRL_LR": "0.4", "MMRL_NT": "4", "UNRELATED": "x"}
    config, origins = resolve({"nt": 5}, file, "avellaneda-stoikov", environ)
    assert config.market.nt == 5
    assert config.training.lr == 0.4
    assert (config.training.ne, config.training.nb) == (3, 3)
    assert config.market.name == "avellaneda-stoikov"
    assert config.training.clip == Config().training.clip
    assert origins["market.nt"] == "flag"
    assert origins["training.lr"] == "environment MMRL_LR"
    assert origins["training.ne"] == origins["training.nb"] == f"file {file}"
    assert origins["market.name"] == "preset avellaneda-stoikov"
    assert "training.clip" not in origins


def test_a_later_source_may_mend_what_an_earlier_one_leaves_open(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text("[training]\nnoadv = true\ntd = true\n")
    assert "drop --td" in refusal({}, config_file=file)
    assert resolve({"noadv": False}, config_file=file)[0].training.td


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[training]\nlr = 7.0", "training.lr = 7.0"),
        ("[training]\nlr = '0.1'", "training.lr = '0.1'"),
        (
            "[trainin]\nlr = 0.1",
            "unknown table '[trainin]': there are market, reward, policy, training, run: did you mean 'training'?",
        ),
        ("[training]\nlrate = 0.1", "unknown key 'training.lrate'"),
        ("[training", "is not valid TOML"),
    ],
)
def test_faults_of_a_file_name_the_file_even_under_a_flag(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "my.toml"
    file.write_text(text)
    message = refusal({"lr": 0.1}, config_file=file)
    assert words in message
    assert str(file) in message


def test_a_missing_file_and_a_bad_variable_are_named(tmp_path: Path) -> None:
    assert "No such file" in refusal({}, config_file=tmp_path / "none.toml")
    assert refusal({}, environ={"MMRL_NB": "many"}).startswith("MMRL_NB: training.nb = 'many'")


def test_set_reads_text_by_the_type_of_the_setting() -> None:
    values = set_values(["lr=1e-3", "market.nt=7", "td=true", "size_grid=1,2", "intensity=[1,2,3,4,5,6]", "name=a=b"])
    assert values == {
        "training.lr": 1e-3,
        "market.nt": 7,
        "training.td": True,
        "market.size_grid": (1, 2),
        "market.intensity": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
        "run.name": "a=b",
    }
    for bad in ("lr", "lr=", "nt=1.5", "td=maybe", "nope=1"):
        with pytest.raises(ConfigError):
            set_values([bad])


def test_whole_numbers_do_for_floats_in_files() -> None:
    stored = load_toml("[market]\ndt = 2\nintensity = [1, 2, 3, 4, 5, 6]\ndelta_grid = [1, 2]\n")
    market = book_of(stored.config)
    assert market.dt == 2.0
    assert market.intensity == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert market.delta_grid == (1.0, 2.0)
    assert all(isinstance(x, float) for x in market.delta_grid)


def test_replaced_checks_again() -> None:
    assert replaced(Config(), {"lr": 0.5}).training.lr == 0.5
    with pytest.raises(ConfigError, match=r"training\.lr"):
        replaced(Config(), {"lr": 2.0})


def _values(spec: FieldSpec) -> st.SearchStrategy[Any]:
    low = spec.bounds.get("ge", spec.bounds.get("gt"))
    high = spec.bounds.get("le", spec.bounds.get("lt"))
    if spec.kind == "bool":
        return st.booleans()
    if spec.kind == "choice":
        return st.sampled_from(spec.choices)
    if spec.kind == "int":
        return st.integers(low, high)  # type: ignore[arg-type]
    if spec.kind == "float":
        return st.floats(low, high, exclude_min="gt" in spec.bounds, exclude_max="lt" in spec.bounds)
    if spec.kind == "str":
        return st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
    size = spec.length or 3
    number = st.integers(0, 9) if spec.kind == "ints" else st.floats(0, 9)
    return st.tuples(*[number] * size)


def _all_values(market: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {spec.key: st.just(market) if spec.key == NAME else _values(spec) for spec in fields(market)}
    )


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(markets()).flatmap(_all_values))
def test_any_config_survives_toml_and_text(values: dict[str, Any]) -> None:
    try:
        config = build(nested(values))
    except ConfigError:
        return  # a contradiction between fields: nothing to write
    stored = load_toml(dump_toml(config, {"training.lr": "flag"}, {"id": 'a "b"\n\x7f', "n": 3}))
    assert stored.config == config
    assert stored.origins == {"training.lr": "flag"}
    assert stored.meta == {"id": 'a "b"\n\x7f', "n": 3}
    for spec in fields(config.market.name):
        if spec.kind != "str":
            assert parse_text(spec, shown(value_of(config, spec))) == value_of(config, spec)


def test_units_of_time() -> None:
    book, _ = resolve({"nt": 500, "dt": 2.0})
    assert (book_of(book).dt, spec_of(book).end_time, spec_of(book).steps) == (2.0, 1000.0, 500)
    diffusion, _ = resolve({}, preset="avellaneda-stoikov")
    assert game_of(diffusion).dt == pytest.approx(0.005)
    assert spec_of(diffusion).end_time == 1.0


def test_field_finds_by_either_name() -> None:
    assert field("lr") is field("training.lr") is field("--lr")
    assert field("name").key == "run.name"
    assert field("market").key == "market.name"
