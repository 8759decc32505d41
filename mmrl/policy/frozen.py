"""Everything that makes a policy's quotes: network, normalisation, what its inputs and outputs mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mmrl.markets.contract import Axis, Column, spec_of
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config

Float32 = npt.NDArray[np.float32]
CLIP = 10.0
"""Bound of a normalised observation on either side of 0, as in `mmrl.kernels.play`, which needs numba."""
FORMAT = 1
"""Of the file that `save` writes."""


@dataclass(frozen=True)
class Frozen:
    """A policy that learns no more: layers (W[in, out], b[out]) with tanh between, a linear map of the inputs.

    Gaussian: the outputs are the means of the actions; categorical: the logits of the choices, axis after axis.
    """

    kind: Literal["gaussian", "categorical"]
    layers: tuple[tuple[Float32, Float32], ...]
    skip: Float32  # [obs, out]
    mean: Float32  # [obs], of the observations it learned from
    std: Float32  # [obs]
    columns: tuple[Column, ...]
    axes: tuple[Axis, ...]
    fading: float
    """Share of T over which the skew of the axes fades towards the end; 0: it does not."""
    market: str
    run: str = ""
    epoch: int = 0

    def normalise(self, raw: npt.NDArray[Any]) -> Float32:
        """Raw observations [..., obs] as the network sees them."""
        scaled = (np.asarray(raw, np.float32) - self.mean) / self.std
        return np.minimum(np.maximum(scaled, np.float32(-CLIP)), np.float32(CLIP))

    def forward(self, observation: Float32) -> Float32:
        """Means or logits [..., out] of normalised observations [..., obs]."""
        hidden = observation
        for weight, bias in self.layers[:-1]:
            hidden = np.tanh(hidden @ weight + bias)
        weight, bias = self.layers[-1]
        outputs: Float32 = hidden @ weight + bias + observation @ self.skip
        return outputs

    def fade(self, left: Any) -> Any:
        """What the skew is multiplied by with a share `left` of the time left: tanh(left / fading)."""
        return np.tanh(left / self.fading) if self.fading else np.ones_like(left)

    def column_of(self, role: str) -> int | None:
        """Where the column of a role stands, None where the policy does not see it."""
        return next((k for k, column in enumerate(self.columns) if column.role == role), None)

    def choices(self, outputs: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Of a categorical policy the likeliest choice of each axis [..., A]."""
        ends = np.cumsum([len(axis.grid) for axis in self.axes])[:-1]
        return np.stack([part.argmax(-1) for part in np.split(outputs, ends, axis=-1)], axis=-1)

    def quotes(
        self, raw: npt.NDArray[Any], inventory: npt.NDArray[Any] | None = None, left: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[np.float64]:
        """Quotes [..., A] in market units of raw observations [..., obs].

        `inventory` and `left` [...] are needed only where the quotes depend on them and the observation lacks them.
        """
        raw = np.asarray(raw, np.float32)
        outputs = self.forward(self.normalise(raw)).astype(np.float64)
        if self.kind == "categorical":
            outputs = self.choices(outputs).astype(np.float64)
        held = self._seen(raw, "inventory", inventory) * self.fade(self._seen(raw, "time left", left))
        parts = []
        for k, axis in enumerate(self.axes):
            if self.kind == "gaussian":
                part, skew = axis.centre + axis.scale * outputs[..., k], axis.skew
            else:
                part, skew = np.array(axis.grid)[outputs[..., k].astype(np.int64)], axis.grid_skew
            parts.append(axis.as_taken(part + skew * held if skew else part))
        return np.stack(parts, axis=-1)

    def _seen(self, raw: Float32, role: str, given: npt.NDArray[Any] | None) -> npt.NDArray[np.float64]:
        column = self.column_of(role)
        if column is not None:
            return raw[..., column].astype(np.float64)
        return np.zeros(raw.shape[:-1]) if given is None else np.asarray(given, np.float64)

    @property
    def needs_inventory(self) -> bool:
        """Whether the quotes depend on an inventory that the observation does not show."""
        skewed = any(axis.skew if self.kind == "gaussian" else axis.grid_skew for axis in self.axes)
        return skewed and self.column_of("inventory") is None

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The numbers by name, and `about`, JSON of everything else."""
        about = {
            "format": FORMAT,
            "kind": self.kind,
            "clip": CLIP,
            "columns": [asdict(column) for column in self.columns],
            "axes": [asdict(axis) for axis in self.axes],
            "fading": self.fading,
            "market": self.market,
            "run": self.run,
            "epoch": self.epoch,
        }
        found: dict[str, npt.NDArray[Any]] = {"about": np.array(json.dumps(about))}
        found |= {"skip": self.skip, "mean": self.mean, "std": self.std}
        for k, (weight, bias) in enumerate(self.layers):
            found |= {f"weight_{k}": weight, f"bias_{k}": bias}
        return found


def of_state(state: Mapping[str, Any], config: Config, run: str = "", epoch: int = 0) -> Frozen:
    """The policy of a checkpoint's state, whose tensors are numpy arrays."""
    trainer, spec = state["trainer"], spec_of(config)
    policy, statistics = trainer["policy"], trainer["normaliser"]
    count = len([name for name in policy if name.startswith("network.linear.") and name.endswith(".weight")])
    layers = tuple(
        (
            np.ascontiguousarray(policy[f"network.linear.{k}.weight"].T, np.float32),
            np.ascontiguousarray(policy[f"network.linear.{k}.bias"], np.float32),
        )
        for k in range(count)
    )
    skip = policy.get("network.skip.weight")
    shape = (layers[0][0].shape[0], layers[-1][1].size)
    mean, var = np.asarray(statistics["mean"], np.float64), np.asarray(statistics["var"], np.float64)
    return Frozen(
        kind=config.policy.kind,
        layers=layers,
        skip=np.zeros(shape, np.float32) if skip is None else np.ascontiguousarray(skip.T, np.float32),
        mean=mean.astype(np.float32),
        std=_std(mean, var).astype(np.float32),
        columns=spec.columns,
        axes=spec.axes,
        fading=spec.fading,
        market=config.market.name,
        run=run,
        epoch=epoch,
    )


def _std(mean: npt.NDArray[np.float64], var: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """As `mmrl.learn.normaliser`: 1 for a column that has not varied."""
    std = np.sqrt(var)
    return np.where(std > np.maximum(1e-8 * np.abs(mean), 1e-30), std, 1.0)


def read(path: str | Path) -> Frozen:
    """The policy in a file that `mmrl export --numpy` wrote; ConfigError where it is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(str(arrays["about"]))
        if about["format"] != FORMAT or about["clip"] != CLIP:
            raise ConfigError(f"{path} was written by another version of mmrl (format {about['format']}): export again")
        count = len([name for name in arrays if name.startswith("weight_")])
        return Frozen(
            kind=about["kind"],
            layers=tuple((arrays[f"weight_{k}"], arrays[f"bias_{k}"]) for k in range(count)),
            skip=arrays["skip"],
            mean=arrays["mean"],
            std=arrays["std"],
            columns=tuple(Column(**column) for column in about["columns"]),
            axes=tuple(Axis(**{**a, "grid": tuple(a["grid"]), "start": tuple(a["start"])}) for a in about["axes"]),
            fading=about["fading"],
            market=about["market"],
            run=about["run"],
            epoch=about["epoch"],
        )
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, EOFError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path} is no file of mmrl export --numpy: name such a file, or a run") from None
