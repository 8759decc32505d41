"""Names of other libraries lead to the settings here; a preset says what it is for and what it sets."""

from __future__ import annotations

import json

import pytest

import cli
from mmrl.settings.aliases import DIFFERS, LIKE, UNLIKE, meant
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import elsewhere, field, fields
from mmrl.settings.preset_about import about, all_about
from mmrl.settings.sources import presets, resolve
from mmrl.settings.variables import read_environment


def said(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        cli.main(line.split())
    return int(end.value.code or 0), capsys.readouterr().err


def test_every_suggestion_is_a_setting_and_no_alias_is_one() -> None:
    keys = {spec.key for spec in fields()}
    assert set(LIKE) <= keys
    names = [name for some in LIKE.values() for name in some] + list(UNLIKE)
    assert len(names) == len(set(names))
    taken = {spec.name for spec in fields()} | {spec.option_name for spec in fields()}
    assert set(names) & taken == set()
    assert set(DIFFERS) <= {name for some in LIKE.values() for name in some}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("--learning-rate", "training.lr"),
        ("learning_rate", "training.lr"),
        ("training.learning_rate", "training.lr"),
        ("--n-steps", "market.nt"),
        ("--ent-coef", "training.entropy"),
        ("--gae-lambda", "training.lambd"),
        ("--batch-size", "training.minibatches"),
        ("--n-epochs", "training.update_freq"),
        ("--clip-range", "training.clip"),
        ("--total-timesteps", "training.ne"),
        ("MAX_STEPS", "market.nt"),
        ("--nothing-like-it", ""),
    ],
)
def test_a_name_of_another_library_is_known(name: str, key: str) -> None:
    assert meant(name)[0] == key
    assert bool(elsewhere(name, "name")) == bool(key)
    if key:
        assert elsewhere(name, "long_flag").startswith(f": use {field(key).long_flag}")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train --learning-rate 1", "--learning-rate is no option: use --lr"),
        ("train --batch-size=64", "use --minibatches (how many minibatches a pass has, not their size)"),
        ("train --vf-coef 0.5", "--vf-coef is no option: the value function is fitted by least squares"),
        ("train --set ent_coef=1", "unknown key 'ent_coef': use entropy"),
        ("train --max-gradnorm 1", "did you mean '--max-grad-norm'?"),
        ("train quickstart", "quickstart is a preset: write --preset quickstart"),
        ("train quikstart", "did you mean '--preset quickstart'?"),
        ("presets quikstart", "did you mean 'quickstart'?"),
    ],
)
def test_the_command_line_says_what_to_write(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, err = said(capsys, line)
    assert code == 2 and words in err and err.count("\n") == 1


def test_commands_without_settings_suggest_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "plot --learning-rate 1") == (2, "mmrl: --learning-rate is no option\n")


def test_a_variable_leads_to_the_one_here() -> None:
    with pytest.raises(ConfigError, match=r"unknown variable MMRL_GAE_LAMBDA: use MMRL_LAMBD$"):
        read_environment({"MMRL_GAE_LAMBDA": "1"})


def test_a_gamma_that_looks_like_a_discount_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    assert "the discount factor is --discount" in said(capsys, "train --gamma 0.99 --dry-run")[1]
    assert said(capsys, "train --gamma 0.5 --dry-run") == (0, "")
    assert said(capsys, "train --preset avellaneda-stoikov --dry-run") == (0, "")


def test_every_preset_says_what_it_is_for() -> None:
    assert {each.name for each in all_about()} == set(presets())
    for each in all_about():
        assert each.brief.endswith(".") and 30 < len(each.brief) < 200, each.name
        assert "#" not in each.text and each.text.startswith(each.brief)


def test_what_a_preset_sets_is_what_its_file_sets() -> None:
    found = about("avellaneda-stoikov")
    config, origins = resolve({}, preset=found.name)
    assert {*found.sets, "market.name"} == set(origins)
    assert found.market == config.market.name
    assert found.sets["market.sigma"] == "2.0" and found.sets["market.skew"] == "auto"
    assert found.brief.startswith("Avellaneda & Stoikov (2008), learned for CARA utility")


def test_presets_are_printed_for_people_and_for_programs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")

    def printed(line: str) -> str:
        with pytest.raises(SystemExit):
            cli.main(line.split())
        return capsys.readouterr().out

    for line in ("presets", *(f"presets {name}" for name in presets())):
        assert max(map(len, printed(line).splitlines())) <= 70
    listed = " ".join(printed("presets").split())
    assert all(f"{each.name} {each.brief}" in listed for each in all_about())
    whole = " ".join(printed("presets quickstart").split())
    assert about("quickstart").text in whole
    assert "training.lr_end = 0.1 The learning rate falls" in whole
    assert json.loads(printed("presets es --json"))["sets"]["market.tick"] == "0.25"
