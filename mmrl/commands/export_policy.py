"""`mmrl export`: a run's policy as a file for other programs, its normalisation and units inside."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmrl.agents import learned
from mmrl.commands.surroundings import check_room
from mmrl.markets.contract import spec_of
from mmrl.plots.output import say
from mmrl.policy.frozen import Frozen
from mmrl.policy.reading import SUFFIX, frozen_of
from mmrl.runs.config_file import read_config
from mmrl.runs.find import anywhere
from mmrl.runs.outputs import check_output
from mmrl.settings.errors import ConfigError

CHECKED = 10_000
"""Observations on which a file is compared with the run's own quotes."""
TOLERANCE = 1e-5
"""Largest difference that may be, as a share of the largest quote of its axis: float32 sums, in any order."""
OF_SUFFIX = {SUFFIX: "numpy", ".onnx": "onnx", ".pt": "torchscript", ".pth": "torchscript"}
"""The format of which a name tells by its ending."""
Quotes = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Format:
    """A kind of file: how it is written, and how what was written is read back into a function of observations."""

    name: str
    write: Callable[[Frozen, Path], None]
    read: Callable[[Path], Quotes]
    needs: str = ""
    """The package that it needs, and the extra that installs it."""


def export(run: str, targets: dict[str, str | None], epoch: str, force: bool, results: str, as_json: bool) -> None:
    """Write the one file of `targets` (by format) that is asked for, check it, and say so."""
    given = {name: file for name, file in targets.items() if file is not None}
    if len(given) != 1:
        named = " and ".join(f"--{name}" for name in given)
        raise ConfigError(f"{named}: one file at a time" if given else _choose(targets))
    ((name, file),) = given.items()
    check_room("export of a policy")
    found, path = FORMATS[name], Path(file)
    if found.name == "numpy" and path.suffix != SUFFIX:
        raise ConfigError(f"--numpy {file}: the name must end with {SUFFIX}, by which mmrl.load knows it")
    other = OF_SUFFIX.get(path.suffix, name)
    if other != name:
        raise ConfigError(f"--{name} {file}: {path.suffix} is the ending of --{other}: use that, or another ending")
    check_output(f"--{name}", file, force)
    folder = Path(anywhere(run, results).folder)
    frozen = frozen_of(folder, epoch)
    if frozen.needs_inventory:
        raise ConfigError(f"{folder.name} quotes by an inventory that it does not observe: export has no place for it")
    difference = _written(found, frozen, folder, path)
    about = {
        "run": frozen.run,
        "epoch": frozen.epoch,
        "format": name,
        "file": str(path),
        "bytes": path.stat().st_size,
        "observation": [column.name for column in frozen.columns],
        "quotes": [axis.name for axis in frozen.axes],
        "units": {axis.name: axis.unit for axis in frozen.axes},
        "checked": CHECKED,
        "largest_difference": difference,
    }
    if as_json:
        print(json.dumps(about))
        return
    say(f"wrote {path}", sys.stderr)
    print(f"{frozen.run}, epoch {frozen.epoch}: {len(frozen.columns)} numbers in, {len(frozen.axes)} quotes out")
    print(f"equal to the run's own quotes on {CHECKED:,} observations to {difference:.1g}")


def _choose(targets: dict[str, str | None]) -> str:
    return f"say what to write: {' FILE, '.join(f'--{name}' for name in targets)} FILE"


def _written(found: Format, frozen: Frozen, folder: Path, path: Path) -> float:
    """Write, read back and compare with the run; only what passes gets its name. Returns the largest difference."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        try:
            found.write(frozen, temporary)
            quotes = found.read(temporary)
        except ImportError as error:
            missing = error.name or "a package"
            raise ConfigError(f"--{found.name} needs {missing}: {found.needs}") from None
        raw = observations(frozen)
        difference = _difference(quotes(raw), _own(folder, frozen.epoch, raw))
        if not difference <= TOLERANCE:
            raise RuntimeError(f"the file quotes otherwise than the run, by {difference:.2g}; it was not kept")
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()
    return difference


def observations(frozen: Frozen) -> npt.NDArray[np.float32]:
    """What a policy may see [CHECKED, obs]: three times as far around the mean as where it learned."""
    rng = np.random.default_rng(0)
    raw = frozen.mean + 3.0 * frozen.std * rng.standard_normal((CHECKED, frozen.mean.size))
    inventory, left = frozen.column_of("inventory"), frozen.column_of("time left")
    if inventory is not None:
        raw[:, inventory] = np.rint(raw[:, inventory])
    if left is not None:
        raw[:, left] = rng.random(CHECKED)
    return raw.astype(np.float32)


def _own(folder: Path, epoch: int, raw: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The quotes of the run as evaluations compute them."""
    config = read_config(folder).config
    weights, spec = learned.weights_in(learned.checkpoint_of(folder, str(epoch))[1], config), spec_of(config)
    outputs = weights.forward(weights.normalise(raw)).astype(np.float64)
    if config.policy.kind == "categorical":
        ends = np.cumsum([len(axis.grid) for axis in spec.axes])[:-1]
        outputs = np.stack([part.argmax(-1) for part in np.split(outputs, ends, axis=-1)], axis=-1)
    held, left = (
        np.zeros(len(raw)) if (k := spec.column_of(role)) is None else raw[:, k].astype(np.float64)
        for role in ("inventory", "time left")
    )
    return learned.in_market_units(config, outputs, held * spec.fade(left))


def _difference(found: npt.NDArray[np.float64], own: npt.NDArray[np.float64]) -> float:
    """The largest difference, as a share of the largest quote of its axis.

    Where the market rounds, or choices are as likely, the last bit of a sum decides: one row in a thousand may differ.
    """
    if found.shape != own.shape or not np.isfinite(found).all():
        return float("inf")
    apart = (np.abs(found - own) / np.maximum(np.abs(own).max(axis=0), 1e-30)).max(axis=1)
    return float(np.quantile(apart, 0.999, method="higher"))


def _write_numpy(frozen: Frozen, path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, **frozen.arrays())  # type: ignore[arg-type]


def _read_numpy(path: Path) -> Quotes:
    from mmrl.policy.frozen import read

    return read(path).quotes


def _write_onnx(frozen: Frozen, path: Path) -> None:
    from mmrl.policy.onnx_file import write

    write(frozen, path)


def _read_onnx(path: Path) -> Quotes:
    from mmrl.policy.onnx_file import read

    return read(path)


def _write_torchscript(frozen: Frozen, path: Path) -> None:
    from mmrl.policy.torch_file import write

    write(frozen, path)


def _read_torchscript(path: Path) -> Quotes:
    from mmrl.policy.torch_file import read

    return read(path)


FORMATS = {
    "onnx": Format("onnx", _write_onnx, _read_onnx, "pip install 'market-making-rl[onnx]', or pip install onnx"),
    "torchscript": Format("torchscript", _write_torchscript, _read_torchscript),
    "numpy": Format("numpy", _write_numpy, _read_numpy),
}
