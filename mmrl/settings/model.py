"""All settings of a run as one immutable `Config`; which settings make its group `market` is decided by the name."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SerializeAsAny

from mmrl.settings.declare import Group
from mmrl.settings.errors import ConfigError, brief
from mmrl.settings.groups import REST, Policy, Reward, Run, Training
from mmrl.settings.market import MarketSettings
from mmrl.settings.registry import default_market, settings_class


class Config(Group):
    """All settings of a run, immutable and checked as a whole.

    `Config.of` makes one from single settings. The constructor takes whole groups, `training={"nb": 50}`, and raises
    ConfigError as well.
    """

    market: SerializeAsAny[MarketSettings] = Field(default_factory=lambda: settings_class(default_market())())
    reward: Reward = Field(default_factory=Reward)
    policy: Policy = Field(default_factory=Policy)
    training: Training = Field(default_factory=Training)
    run: Run = Field(default_factory=Run)

    def __init__(self, /, **groups: Any) -> None:
        from mmrl.settings.build import checked

        super().__init__(**checked(groups))
        self.__dict__["market"] = self.market.settled(self.reward.utility)  # a frozen model takes no assignment
        contradiction = _contradiction(self)
        if contradiction:
            raise ConfigError(contradiction)

    @classmethod
    def of(cls, preset: str | None = None, *, file: str | None = None, **settings: Any) -> Config:
        """Settings from a preset, then a TOML file, then keywords by their name on the command line with `_` for `-`.

        `Config.of("quickstart", ne=20, lr=1e-3)`. Lists may be lists or tuples. Raises ConfigError, one line that names
        the setting, the value and what is allowed.
        """
        from mmrl.settings.sources import given

        return given(preset, file, settings)

    def but(self, **settings: Any) -> Config:
        """The same with other values for some settings."""
        from mmrl.settings.sources import changed

        return changed(self, settings)

    @property
    def aversion(self) -> float:
        """Risk aversion of the mean-variance and entropic utilities: the market's own, or else the reward's."""
        stated = self.market.aversion
        return self.reward.risk_aversion if stated is None else stated


def require_config(given: Any, who: str) -> None:
    """Raise ConfigError unless it is a Config, as `who` takes it."""
    if not isinstance(given, Config):
        raise ConfigError(f"{who} takes a Config, not {brief(given)}: mmrl.Config.of(preset, nt=100, ...) makes one")


def _contradiction(config: Config) -> str | None:
    reward, training, run = config.reward, config.training, config.run
    if training.td and training.noadv:
        return "training.td = true needs the value function that training.noadv leaves out: drop --td or --noadv"
    of_market = config.market.contradiction(config)
    if of_market:
        return of_market
    if reward.utility == "entropic" and training.noadv:
        return "reward.utility = 'entropic' needs the value function that training.noadv leaves out: drop --noadv"
    if reward.utility == "inventory-penalty" and reward.inventory_penalty == 0:
        return "reward.utility = 'inventory-penalty' needs reward.inventory_penalty > 0: set it"
    if reward.utility not in ("custom", "inventory-penalty") and reward.inventory_penalty > 0:
        return (
            f"reward.inventory_penalty = {reward.inventory_penalty} is no part of reward.utility = '{reward.utility}': "
            "drop it, or use --utility inventory-penalty"
        )
    if reward.step_kind == "none" and reward.final_kind == "none" and reward.inventory_penalty == 0:
        return "reward.immediate = 'none' with reward.final = 'none' leaves nothing to learn: set one of them"
    if reward.always_final and reward.final_kind == "none":
        return "reward.always_final = true needs a final reward: set reward.final to 'value' or 'cara'"
    if reward.time_limit == "cuts" and reward.final_kind != "none":
        return (
            f"reward.time_limit = 'cuts' truncates the episode, reward.final = '{reward.final_kind}' settles it: "
            "choose reward.final = 'none' or reward.time_limit = 'ends'"
        )
    if run.engine == "compiled" and run.device in ("cuda", "mps"):
        return (
            f"run.engine = 'compiled' runs on the CPU, run.device = '{run.device}' does not: "
            "use --engine tensor or --device cpu"
        )
    if run.engine == "cuda" and run.device in ("cpu", "mps"):
        return (
            f"run.engine = 'cuda' runs on an NVIDIA GPU, run.device = '{run.device}' does not: "
            "use --engine auto or --device cuda"
        )
    if run.reproducible and (run.engine in ("cuda", "tensor") or run.device in ("cuda", "mps")):
        return (
            "run.reproducible = true is for the compiled engine on a CPU: drop --reproducible, or --engine and --device"
        )
    if run.reproducible and run.threads == 0:
        return "run.reproducible = true needs a number of threads, which the order of sums follows: add --threads 2"
    return None


GROUPS: dict[str, type[Group]] = {"market": MarketSettings, **REST}
