"""Names of runs: an invalid name is refused, never rewritten."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a list of runs needs no settings
    from mmrl.settings.model import Config

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
# Device names of Windows, with any extension: a repository with such a folder cannot be checked out there.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.ASCII | re.IGNORECASE)
RULE = (
    "use at most 128 letters, digits, '.', '_' and '-', begin with a letter or digit, do not end with '.', no '..', "
    "no device name such as CON or nul"
)


class BadRunName(ValueError):
    """A name that a run cannot have."""


def valid_name(name: str) -> bool:
    """Whether a run can have this name."""
    plain = _NAME.fullmatch(name) is not None and ".." not in name and not name.endswith(".")
    return plain and _DEVICE.fullmatch(name) is None


def run_folder(root: str | Path, name: str) -> Path:
    """The folder of a run inside `root`; raises BadRunName for any name that could lead out of it."""
    if not valid_name(name):
        raise BadRunName(f"run name {name!r} is not allowed: {RULE}")
    base = Path(root).resolve()
    folder = base / name
    if folder.is_symlink() or folder.resolve().parent != base:
        raise BadRunName(f"run {name!r} is a link that leads out of {base}: links are not followed")
    return folder


def good_folder(results: str | Path) -> Path:
    """good-results, which stands beside a folder of runs."""
    return Path(results).resolve().parent / "good-results"


def namesake(root: str | Path, name: str, but: str = "") -> str:
    """The entry of `root`, other than `but`, with this name in any case, as macOS and Windows ignore case; else "".

    Raises BadRunName as run_folder() does.
    """
    folder = run_folder(root, name)
    try:
        return next(
            (other for other in os.listdir(folder.parent) if other.lower() == name.lower() and other != but), ""
        )
    except FileNotFoundError:
        return ""


def generated_name(config: Config) -> str:
    """`<returns>_<ne>-<nb>-<nt>_<policy>_<reward>`, e.g. MC_400-100-4950_gaus-ppo-clip-norm-adv_W-I-T."""
    from mmrl.markets.contract import spec_of  # which needs numpy: a list of runs does not

    training, reward, policy = config.training, config.reward, config.policy
    returns = f"TD{training.lambd:g}" if training.td else "MC"
    learner = [policy.kind[:4]]
    if training.algorithm == "ppo":
        learner += ["ppo", "noclip" if training.noclip else "clip"]
    else:
        learner += ["reinforce"]
    learner += ["norm"] + ([] if training.noadv else ["adv"])
    parts = [] if reward.step_kind == "none" else [{"wealth": "W", "pnl": "PnL"}[reward.step_kind]]
    if reward.utility != "custom":
        parts = [reward.utility]
    parts += ["I"] * reward.add_inventory + ["T"] * reward.add_time
    parts += ["Q"] * (reward.inventory_penalty > 0) + ["U"] * (reward.final_kind == "cara")
    parts += ["F"] * reward.always_final
    size = f"{training.ne}-{training.nb}-{config.market.nt}"
    return f"{spec_of(config).prefix}{returns}_{size}_{'-'.join(learner)}_{'-'.join(parts) or 'V'}"


def free_name(root: str | Path, name: str) -> str:
    """The name itself, or with the first suffix _1, _2, ... that is not taken in `root`."""
    candidate, k = name, 0
    while namesake(root, candidate):
        k += 1
        candidate = f"{name}_{k}"
    return candidate
