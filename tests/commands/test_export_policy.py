"""`mmrl export`: files that quote as the run does, or no file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cli
import mmrl
from mmrl.commands import export_policy as export
from mmrl.policy.frozen import Frozen
from mmrl.settings.errors import ConfigError

GOOD = Path(__file__).resolve().parents[2] / "good-results"
RUNS = sorted(path.name for path in GOOD.iterdir())
GAME = "avellaneda-stoikov-ppo"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli.main(["export", *words, "--results", str(GOOD)])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def exported(capsys: pytest.CaptureFixture[str], run: str, kind: str, path: Path) -> dict[str, Any]:
    code, out, err = said(capsys, run, f"--{kind}", str(path), "--json")
    assert code == 0 and err == "", err
    found: dict[str, Any] = json.loads(out)
    assert found["checked"] == 10_000 and found["largest_difference"] < 1e-6
    return found


def rows(run: str) -> tuple[Any, Any]:
    """Some observations, and the quotes of the run."""
    policy = mmrl.load(run, GOOD)
    raw = export.observations(policy.frozen)[:200]
    return raw, policy.quotes(raw)


@pytest.mark.parametrize("run", RUNS)
def test_onnx_in_onnxruntime(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = tmp_path / "policy.onnx"
    exported(capsys, run, "onnx", path)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == ["observation"]
    raw, quotes = rows(run)
    scale = np.abs(quotes).max(axis=0)
    for some in (raw, raw[:1]):  # any number of rows
        found = session.run(["quotes"], {"observation": some})[0]
        np.testing.assert_allclose(found / scale, quotes[: len(some)] / scale, atol=1e-6)
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["run"]) == run
    assert [c["name"] for c in json.loads(told["columns"])] == list(mmrl.load(run, GOOD).columns)


@pytest.mark.parametrize("run", [GAME, "quickstart"])
def test_torchscript(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mmrl.policy import torch_file

    path = tmp_path / "policy.pt"
    exported(capsys, run, "torchscript", path)
    raw, quotes = rows(run)
    np.testing.assert_allclose(torch_file.read(path)(raw[:7]), quotes[:7], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("run", RUNS)
def test_numpy(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "policy.npz"
    told = exported(capsys, run, "numpy", path)
    raw, quotes = rows(run)
    policy = mmrl.load(path)
    assert np.array_equal(policy.quotes(raw), quotes)
    assert told["quotes"] == list(policy.axes) and told["observation"] == list(policy.columns)
    assert told["epoch"] == policy.epoch and told["bytes"] == path.stat().st_size


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_choices_rounding_and_bounds(kind: str, tmp_path: Path) -> None:
    """No shipped run has them: a categorical policy with a skew that fades, whole numbers, and a lower bound."""
    if kind == "onnx":
        pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
    f = mmrl.load(GAME, GOOD).frozen
    grids = ((0.4, 1.5, 2.6), (0.3, 0.9))
    axes = tuple(replace(a, grid=g, grid_skew=s) for a, g, s in zip(f.axes, grids, (0.1, -0.1), strict=True))
    axes = (replace(axes[0], whole=True, low=1.0), axes[1])
    rng = np.random.default_rng(1)
    layers = (*f.layers[:-1], (rng.normal(size=(32, 5)).astype(np.float32), f.layers[0][1][:5]))
    chosen = replace(f, kind="categorical", axes=axes, layers=layers, skip=rng.normal(size=(2, 5)).astype(np.float32))
    found, path = export.FORMATS[kind], tmp_path / "policy"
    found.write(chosen, path)
    raw = export.observations(chosen)[:500]
    quotes = chosen.quotes(raw)
    assert (
        len(np.unique(quotes[:, 0])) > 2
        and quotes[:, 0].min() == 1.0
        and np.array_equal(quotes[:, 0], np.rint(quotes[:, 0]))
    )
    apart = np.abs(found.read(path)(raw) - quotes).max(axis=1)
    assert (apart < 1e-5).mean() > 0.995


def test_a_file_that_quotes_otherwise_is_not_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Frozen.quotes
    monkeypatch.setattr(Frozen, "quotes", lambda self, raw: real(self, raw) * 1.001)
    code, _, err = said(capsys, GAME, "--numpy", str(tmp_path / "a.npz"))
    assert code == 1 and "quotes otherwise than the run" in err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to export to: add --tensorboard or --csv or --parquet or --onnx or --torchscript or --numpy"),
        (("--onnx", "a", "--numpy", "b.npz"), "--onnx and --numpy: one file at a time"),
        (("--numpy", "a.np"), "must end with .npz"),
        (("--numpy", "nowhere/a.npz"), "there is no folder nowhere"),
        (("--onnx", "."), "is a folder"),
        (("--numpy", "there.npz"), "exists: choose another name, or overwrite it with --force"),
        (("--numpy", "a.npz", "--epoch", "123456"), "keeps the policies of epochs"),
    ],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.npz").write_text("mine")
    code, out, err = said(capsys, GAME, *words)
    assert code == 2 and message in err and err.count("\n") == 1 and out == ""
    assert (tmp_path / "there.npz").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnx", None)
    code, _, err = said(capsys, GAME, "--onnx", str(tmp_path / "a.onnx"))
    assert code == 2 and "pip install onnx" in err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "name", "other"),
    [("onnx", "a.npz", "numpy"), ("torchscript", "a.npz", "numpy"), ("onnx", "a.pt", "torchscript"),
     ("torchscript", "a.onnx", "onnx")],
)  # fmt: skip
def test_an_ending_of_another_format_is_refused(option: str, name: str, other: str, tmp_path: Path) -> None:
    file = str(tmp_path / name)
    with pytest.raises(ConfigError, match=f"is the ending of --{other}: use that, or another ending"):
        export.export(GAME, {option: file}, "best", False, str(GOOD), False)
    assert not list(tmp_path.iterdir())
