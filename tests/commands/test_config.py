"""`mmrl config`, `mmrl markets`, `mmrl agents`: settings and their differences, the schema, what there is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import cli
from mmrl.agents import AGENTS, FILES
from mmrl.agents.about import ABOUT
from mmrl.runs.config_file import read_config
from mmrl.settings.fields import fields, values_of
from mmrl.settings.model import Config
from mmrl.settings.registry import markets
from mmrl.settings.schema import schema
from mmrl.settings.sources import dump_toml, presets

ROOT = Path(__file__).resolve().parents[2]
GOOD = ROOT / "good-results"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli.main(list(words))
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_what_it_prints_is_what_config_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my.toml"
    for name in ("order-flow-fast", str(GOOD / "avellaneda-stoikov-ppo")):
        code, out, err = said(capsys, "config", name)
        assert (code, err) == (0, "")
        path.write_text(out)
        stored = Config.of(name) if name in presets() else read_config(GOOD / "avellaneda-stoikov-ppo").config
        assert Config.of(file=str(path)) == stored
        assert said(capsys, "config", str(path), "--diff", name) == (
            0,
            f"{path} and {name} have the same settings\n",
            "",
        )
        assert json.loads(said(capsys, "config", name, "--json")[1])["config"].keys() == values_of(stored).keys()


def test_differences(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.toml").write_text("lr = 0.5\n[market]\nname = 'avellaneda-stoikov'\nsigma = 3.0\n")
    (tmp_path / "b.toml").write_text("lr = 0.25\n[market]\nname = 'avellaneda-stoikov'\n")
    monkeypatch.chdir(tmp_path)
    code, out, _ = said(capsys, "config", "a.toml", "--diff", "b.toml")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["setting", "a.toml", "b.toml"],
        ["market.sigma", "3.0", "2.0"],
        ["training.lr", "0.5", "0.25"],
    ]
    found = json.loads(said(capsys, "config", "a.toml", "--diff", "b.toml", "--json")[1])
    assert found[0] == {"key": "market.sigma", "first": 3.0, "second": 2.0}
    other = json.loads(said(capsys, "config", "a.toml", "--diff", "default", "--json")[1])
    assert {"key": "market.sigma", "first": 3.0, "second": None} in other  # the book has none
    for words, message in ((("config",), "say whose settings"), (("config", "none"), "is no file, no preset (")):
        code, out, err = said(capsys, *words)
        assert code in (2, 3) and message in err and out == "" and err.count("\n") == 1


def faults(value: Any, rule: dict[str, Any], where: str = "") -> list[str]:
    """What of a value breaks a schema, for the words of it that ours uses: the obvious reading of the standard."""
    kinds: dict[str, Any] = {
        "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
    }  # fmt: skip
    found = []
    kind = rule.get("type")
    if kind and (not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{where} is no {kind}"]
    if "enum" in rule and value not in rule["enum"]:
        found.append(f"{where} is none of {rule['enum']}")
    if "const" in rule and value != rule["const"]:
        found.append(f"{where} is not {rule['const']}")
    compare = {
        "minimum": lambda x, b: x >= b, "maximum": lambda x, b: x <= b,
        "exclusiveMinimum": lambda x, b: x > b, "exclusiveMaximum": lambda x, b: x < b,
        "minLength": lambda x, b: len(x) >= b, "maxLength": lambda x, b: len(x) <= b,
        "minItems": lambda x, b: len(x) >= b, "maxItems": lambda x, b: len(x) <= b,
    }  # fmt: skip
    found += [f"{where} breaks {w}" for w, holds in compare.items() if w in rule and not holds(value, rule[w])]
    if isinstance(value, dict):
        own = rule.get("properties", {})
        found += [f"{where}.{key} is missing" for key in rule.get("required", ()) if key not in value]
        for key, item in value.items():
            if key in own:
                found += faults(item, own[key], f"{where}.{key}")
            elif rule.get("additionalProperties", True) is False:
                found.append(f"{where}.{key} is unknown")
        for part in rule.get("allOf", ()):
            if not faults(value, part["if"]):
                found += faults(value, part["then"], where)
    if isinstance(value, list) and "items" in rule:
        found += [fault for k, item in enumerate(value) for fault in faults(item, rule["items"], f"{where}[{k}]")]
    return found


@pytest.mark.parametrize("name", presets())
def test_every_preset_fits_the_schema(name: str) -> None:
    assert faults(tomllib.loads(dump_toml(Config.of(name))), schema()) == []


@pytest.mark.parametrize("path", sorted((ROOT / "mmrl" / "markets").glob("*/presets/*.toml")), ids=lambda p: p.stem)
def test_presets_and_market_files_have_the_schema(path: Path) -> None:
    assert faults(tomllib.loads(path.read_text()), schema()) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("nb = 0", ".nb breaks minimum"),
        ("lr = 'x'", ".lr is no number"),
        ("[training]\nlrr = 1", ".training.lrr is unknown"),
        ("[market]\nname = 'bok'", ".market.name is none of"),
        ("[market]\nname = 'book'\nsigma = 2.0", ".market.sigma is unknown"),
        ("[market]\nname = 'order-flow'\nhorizons = ['a']", ".market.horizons[0] is no number"),
        ("[reward]\ndiscount = 1.5", ".reward.discount breaks maximum"),
    ],
)
def test_the_schema_refuses_what_is_refused(text: str, fault: str) -> None:
    assert any(each.startswith(fault) for each in faults(tomllib.loads(text), schema()))


def test_the_schema_knows_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    printed = json.loads(said(capsys, "config", "--schema")[1])
    assert printed == json.loads(json.dumps(schema()))
    assert printed["$schema"].startswith("https://json-schema.org/draft/")
    for spec in fields():
        assert spec.help in printed["properties"][spec.group]["properties"][spec.name]["description"]
        assert spec.option_name in printed["properties"]


def test_markets_and_agents(capsys: pytest.CaptureFixture[str]) -> None:
    assert ABOUT.keys() == {*AGENTS, *FILES}
    for command, names in (("markets", markets()), ("agents", ABOUT)):
        rows = json.loads(said(capsys, command, "--json")[1])
        assert [row["name"] for row in rows] == list(names)
        text = said(capsys, command)[1]
        assert all(row["name"] in text and row["text"] for row in rows)
        last = rows[-1]["name"]
        assert json.loads(said(capsys, command, last, "--json")[1]) == rows[-1]
        assert " ".join(rows[-1]["text"].split()) in " ".join(said(capsys, command, last)[1].split())
        code, out, err = said(capsys, command, "nothing")
        assert code == 2 and out == "" and f"there is no {command[:-1]} 'nothing'" in err
    by_name = {row["name"]: row for row in json.loads(said(capsys, "agents", "--json")[1])}
    assert by_name["optimum"]["markets"] == ["avellaneda-stoikov"]
    assert "avellaneda-stoikov" not in by_name["naive"]["markets"]


@pytest.mark.parametrize(
    ("shell", "words", "expected"),
    [
        ("bash", "config qui", "quickstart"),
        ("bash", "agents gl", "glft-asymptotic"),
        ("bash", "train --set algorithm=re", "algorithm=reinforce"),
        ("zsh", "export avel", "avellaneda-stoikov-ppo"),
        ("fish", "markets or", "order-flow"),
    ],
)
def test_completion(shell: str, words: str, expected: str) -> None:
    """As the script of the shell asks for it."""
    typed = f"mmrl {words}"
    asked = {"bash": {"COMP_WORDS": typed, "COMP_CWORD": str(len(words.split()))}}.get(
        shell, {"_TYPER_COMPLETE_ARGS": typed, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    )
    done = subprocess.run(
        [sys.executable, "-c", "from cli import main; main()"],
        cwd=ROOT,
        env={**os.environ, **asked, "_MMRL_COMPLETE": f"complete_{shell}", "MMRL_RESULTS": str(GOOD)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert expected in done.stdout, (done.stdout, done.stderr)
