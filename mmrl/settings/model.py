"""Every hyperparameter, declared once: default, bounds, help and flags.

The command line, the TOML files, the environment variables and the forms are derived from these
declarations. Where values come from is the business of `mmrl.settings.sources`.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class ConfigError(ValueError):
    """A value that cannot be used: one line naming the field, the value, what is allowed and the remedy."""


def option(default: Any, help: str, *flags: str, switches: dict[str, Any] | None = None, **bounds: Any) -> Any:
    """Declare a hyperparameter; `switches` maps flags without a value to the value they stand for."""
    extra: dict[str, Any] = {"flags": list(flags), "switches": switches or {}}
    return Field(default, description=help, json_schema_extra=extra, **bounds)


class Group(BaseModel):
    """A group of hyperparameters: frozen, strict about types, closed to unknown keys."""

    # Schemas are built at the first use: a help page needs none.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


class Market(Group):
    """Which market is simulated and under which rules."""

    name: Literal["book", "avellaneda-stoikov"] = option("book", "Market to trade in", "--market")
    nt: int = option(1000, "Time steps of a trajectory", "-nt", "--nt", ge=1, le=10_000_000)
    dt: float = option(1.0, "book: length of a step in milliseconds", gt=0, le=60_000)
    midprice: float = option(533.0, "book: mid price at the start", gt=0, le=1e9)
    tick: float = option(0.01, "book: smallest price step", gt=0, le=1e6)
    book_size: int = option(10_000, "book: shares resting at the start", "--book-size", "-bs", ge=1, le=100_000_000)
    seed_spread: float = option(10.0, "book: mean spread of the seeded orders", gt=0, le=1e6)
    drift: float = option(3.59e-6, "book: drift of the mid price per millisecond", ge=-1e3, le=1e3)
    volatility: float = option(2.4e-3, "book: standard deviation of the mid price over a millisecond", ge=0, le=1e3)
    intensity: tuple[float, float, float, float, float, float] = option(
        (7.2, -2.13, -0.8, -2.3, 0.167, -0.1),
        "book: six coefficients of the log arrival rate of market orders",
    )
    large_sizes: Literal["monotone", "formula"] = option(
        "monotone", "book: beyond its minimum in size the arrival rate stays there, or grows as the formula does"
    )
    max_dw: float = option(3000.0, "book: wealth change that the wealth reward is scaled by", gt=0, le=1e12)
    owner: Literal["others", "maker"] = option("others", "book: who owns the seeded shares")
    crossed: Literal["filled", "dropped"] = option("filled", "book: what becomes of an order the mid has crossed")
    market_order: Literal["best", "walk"] = option("best", "book: a market order stops at the best price or walks on")
    exhausted: Literal["ends", "refilled"] = option("ends", "book: what happens when the mid has emptied a side")
    touch_size: Literal["level", "lot"] = option("level", "book: size at the best quote: all shares or one lot")
    priority: Literal["time", "size"] = option("time", "book: who is served first at one price")
    emptying_step: Literal["kept", "discarded"] = option("kept", "book: the step that empties the book")
    rounding: Literal["away", "nearest"] = option("away", "book: quotes are rounded away from the mid or to nearest")
    uniform: bool = option(False, "book: run on to the last step when a side is empty", "--uniform", "-u")
    n_obs: int = option(1, "book: number of last states that are observed", "--n-obs", "-no", ge=1, le=1000)
    observation: Literal["state", "inventory", "full"] = option(
        "inventory", "book: observe the quotes, with the inventory, or with inventory, mid price and wealth"
    )
    as_midprice: float = option(100.0, "avellaneda-stoikov: mid price at the start", gt=0, le=1e9)
    sigma: float = option(2.0, "avellaneda-stoikov: volatility per unit of time", ge=0, le=1e6)
    k: float = option(1.5, "avellaneda-stoikov: decay of the fill rate with the distance", gt=0, le=1e6)
    arrival: float = option(140.0, "avellaneda-stoikov: fill rate A at distance 0", gt=0, le=1e9)
    gamma: float = option(0.1, "avellaneda-stoikov: risk aversion of the closed-form agents", gt=0, le=1e3)
    fill: Literal["linear", "poisson"] = option("poisson", "avellaneda-stoikov: law of a fill within a step")
    horizon: float = option(1.0, "avellaneda-stoikov: length of a trajectory", gt=0, le=1e6)
    start_inventory: int = option(
        0,
        "avellaneda-stoikov: every other training trajectory starts with up to so many shares, long or short",
        ge=0,
        le=10_000,
    )

    @property
    def step_length(self) -> float:
        """Length of one step: milliseconds for `book`, units of time for `avellaneda-stoikov`."""
        return self.dt if self.name == "book" else self.horizon / self.nt

    @property
    def log_size_limit(self) -> float:
        """ln(1 + q) beyond which the size terms of the arrival rate no longer change."""
        b3, b4 = self.intensity[3:5]
        return -b3 / (2 * b4) if self.large_sizes == "monotone" and b3 < 0 < b4 else float("inf")

    @property
    def end_time(self) -> float:
        """Time T of a full trajectory, in the unit of `step_length`."""
        return self.dt * self.nt if self.name == "book" else self.horizon


class Reward(Group):
    """What the market maker is rewarded for."""

    utility: Literal[
        "custom",
        "linear",
        "cara",
        "mean-variance",
        "inventory-penalty",
        "damped",
        "damped-symmetric",
        "guo-lin-huang",
        "entropic",
    ] = option(
        "custom",
        "What is maximised: a utility from the literature, or custom: what immediate and final say",
        "--utility",
    )
    immediate: Literal["wealth", "pnl", "none"] = option(
        "wealth",
        "Reward of a step: scaled change of wealth, mark-to-market profit, or none, which drops the bonuses too",
        switches={"--no-immediate": "none", "-ni": "none"},
    )
    add_inventory: bool = option(
        False, "Add the sign of the inventory change, weighted towards the end", "--add-inventory", "-ai"
    )
    add_time: bool = option(False, "Add a reward for every step survived", "--add-time", "-at")
    inventory_penalty: float = option(
        0.0, "Subtract this times inventory squared times the length of the step", ge=0, le=1e9
    )
    final_penalty: float = option(0.0, "Subtract this times the final inventory squared", ge=0, le=1e9)
    damping: float = option(0.5, "damped, guo-lin-huang: share of inventory gains that is taken away", ge=0, le=1e3)
    size_penalty: float = option(0.01, "guo-lin-huang: subtract this times inventory squared each step", ge=0, le=1e9)
    final: Literal["value", "cara", "none"] = option("value", "Reward at the end: value, its CARA utility, or none")
    risk_aversion: float = option(0.1, "r of the final utility alpha - exp(-r V)", gt=0, le=1e3)
    cara_alpha: float = option(0.0, "alpha of the final utility alpha - exp(-r V)", ge=-1e12, le=1e12)
    always_final: bool = option(
        False, "Pay the final reward also when a trajectory ends early", "--always-final", "-af"
    )
    time_limit: Literal["ends", "cuts"] = option(
        "ends", "Reaching the last step ends the game, or only cuts it off: then what follows is estimated"
    )
    discount: float = option(0.9999, "Discount factor of a step", gt=0, le=1)

    @property
    def step_kind(self) -> str:
        """What a step pays before any penalty: wealth, pnl or none."""
        if self.utility == "custom":
            return self.immediate
        return "none" if self.utility == "cara" else "pnl"

    @property
    def final_kind(self) -> str:
        """What the end pays: value, cara or none."""
        if self.utility == "custom":
            return self.final
        return "cara" if self.utility == "cara" else "none"


class Policy(Group):
    """The networks and how their outputs become quotes."""

    kind: Literal["gaussian", "categorical"] = option("gaussian", "Distribution of the actions", "--policy")
    layers: int = option(2, "Hidden layers of each network", "--layers", ge=1, le=16)
    layer_size: int = option(16, "Units in a hidden layer", "--layer-size", ge=1, le=1024)
    log_std: float = option(-0.5, "gaussian: log standard deviation at the start, in scaled units", ge=-10, le=3)
    size_centre: float = option(3.0, "book: shares quoted at action 0", ge=-1e6, le=1e6)
    size_scale: float = option(3.0, "book: shares per unit of action", gt=0, le=1e6)
    delta_centre: float = option(1.5, "book: distance from the mid at action 0", ge=0, le=1e6)
    delta_scale: float = option(1.0, "book: distance per unit of action", gt=0, le=1e6)
    as_delta_centre: float = option(1.0, "avellaneda-stoikov: distance at action 0, in units of 1/k", ge=-1e6, le=1e6)
    as_delta_scale: float = option(
        0.45, "avellaneda-stoikov: distance per unit of action, in units of 1/k", gt=0, le=1e6
    )
    as_tilt: Literal["none", "risk"] = option(
        "none", "avellaneda-stoikov, gaussian: at action 0 quotes ignore inventory, or lean as gamma and sigma imply"
    )
    size_grid: tuple[int, ...] = option(
        (-2, 0, 1, 2, 3, 4, 5, 8),
        "categorical: sizes to choose from, in shares",
        min_length=1,
        max_length=256,
    )
    delta_grid: tuple[float, ...] = option(
        (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0),
        "categorical: distances from the mid to choose from",
        min_length=1,
        max_length=256,
    )


class Training(Group):
    """How the policy learns."""

    nb: int = option(100, "Trajectories of an epoch", "-nb", "--nb", ge=1, le=1_000_000)
    ne: int = option(100, "Epochs", "-ne", "--ne", ge=1, le=10_000_000)
    lr: float = option(3e-3, "Learning rate", "-lr", "--lr", gt=0, le=1)
    algorithm: Literal["ppo", "reinforce"] = option(
        "ppo", "Policy gradient", switches={"--noppo": "reinforce", "-np": "reinforce"}
    )
    clip: float = option(0.2, "PPO: the probability ratio is clipped to 1 +- this", gt=0, lt=1)
    noclip: bool = option(False, "PPO: do not clip the probability ratio", "--noclip", "-nc")
    noadv: bool = option(False, "Learn from plain returns, without a value network", "--noadv", "-na")
    td: bool = option(False, "TD(lambda) returns instead of Monte Carlo", "-td", "--td")
    lambd: float = option(0.999, "lambda of TD(lambda)", "--lambd", ge=0, le=1)
    update_freq: int = option(5, "Passes over the trajectories of an epoch", "--update-freq", "-uf", ge=1, le=1000)
    minibatches: int = option(4, "Parts that a pass is cut into, at most one a step", ge=1, le=10_000)
    entropy: float = option(0.0, "Weight of the entropy bonus", ge=0, le=10)
    max_grad_norm: float = option(0.5, "Gradients are clipped to this norm", gt=0, le=1e6)
    target_kl: float = option(0.0, "Stop the passes above this KL divergence, 0: never", ge=0, le=100)
    lr_end: float = option(
        1.0, "The learning rates fall in a straight line to this share of themselves at the last epoch", gt=0, le=1
    )
    value_lr: float = option(0.0, "Learning rate of the value network, 0: as the policy", ge=0, le=1)


class Run(Group):
    """Where and how the run is carried out."""

    seed: int = option(0, "Seed of every random stream", "--seed", ge=0, le=2**63 - 1)
    device: Literal["auto", "cpu", "cuda", "mps"] = option("auto", "Device to learn on", "--device")
    engine: Literal["auto", "compiled", "tensor"] = option("auto", "Simulation engine", "--engine")
    threads: int = option(0, "CPU threads, 0: all cores", "--threads", ge=0, le=4096)
    plot_after: int = option(
        10,
        "Write an episode profile every so many epochs, 0: never",
        "--plot-after",
        "-pa",
        ge=0,
        le=10_000_000,
    )
    name: str = option("", "Name of the run, empty: made from the settings", "--name", max_length=128)
    results: str = option("results", "Folder of the run folders", "--results", min_length=1, max_length=4096)


class Config(Group):
    """All settings of a run, immutable and checked as a whole."""

    market: Market = Field(default_factory=Market)
    reward: Reward = Field(default_factory=Reward)
    policy: Policy = Field(default_factory=Policy)
    training: Training = Field(default_factory=Training)
    run: Run = Field(default_factory=Run)

    @property
    def aversion(self) -> float:
        """Risk aversion of the mean-variance and entropic utilities: the game's own gamma, on the book the reward's."""
        return self.reward.risk_aversion if self.market.name == "book" else self.market.gamma

    @model_validator(mode="after")
    def _agreement(self) -> Self:
        contradiction = _contradiction(self)
        if contradiction:
            raise ValueError(contradiction)
        return self


def _contradiction(config: Config) -> str | None:
    market, reward, training, run = config.market, config.reward, config.training, config.run
    if training.td and training.noadv:
        return "training.td = true needs the value network that training.noadv leaves out: drop --td or --noadv"
    if reward.utility == "entropic" and market.name == "book":
        return (
            "reward.utility = 'entropic' takes every error of the value network for risk, and in the book that sees "
            "the best quotes only: use --utility mean-variance, or --market avellaneda-stoikov"
        )
    if reward.utility == "entropic" and training.noadv:
        return "reward.utility = 'entropic' needs the value network that training.noadv leaves out: drop --noadv"
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
            f"reward.time_limit = 'cuts' means that the game goes on, reward.final = '{reward.final_kind}' that it is "
            "settled: choose reward.final = 'none' or reward.time_limit = 'ends'"
        )
    if market.name != "book" and market.uniform:
        return f"market.uniform = true is for the book, where a side can run empty: drop it for '{market.name}'"
    if market.name != "book" and market.n_obs > 1:
        return f"market.n_obs = {market.n_obs} is for the book: '{market.name}' allows 1"
    if run.engine == "compiled" and run.device in ("cuda", "mps"):
        return (
            f"run.engine = 'compiled' runs on the CPU, run.device = '{run.device}' does not: "
            "use --engine tensor or --device cpu"
        )
    if market.name == "book" and min(config.policy.delta_grid) < 0:
        return f"policy.delta_grid = {list(config.policy.delta_grid)}: distances must be >= 0 in the book"
    return None


GROUPS: dict[str, type[Group]] = {
    "market": Market,
    "reward": Reward,
    "policy": Policy,
    "training": Training,
    "run": Run,
}


def build(values: dict[str, dict[str, Any]]) -> Config:
    """Make a Config from values by group and name; raises ConfigError with one line on the first fault."""
    frozen = {
        group: {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
        for group, fields in values.items()
    }
    try:
        return Config.model_validate(_widened(frozen))
    except ValidationError as error:
        raise ConfigError(_one_line(error)) from None


def _widened(values: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Whole numbers are fine where floats are meant, inside tuples too."""

    def widen(value: Any, annotation: Any) -> Any:
        if isinstance(value, tuple) and "float" in str(annotation):
            return tuple(float(x) if isinstance(x, int) and not isinstance(x, bool) else x for x in value)
        return value

    return {
        group: {
            name: widen(v, GROUPS[group].model_fields[name].annotation)
            if group in GROUPS and name in GROUPS[group].model_fields
            else v
            for name, v in fields.items()
        }
        for group, fields in values.items()
    }


def _one_line(error: ValidationError) -> str:
    from mmrl.settings.fields import field, fields, refusal, suggestion

    first = error.errors(include_url=False)[0]
    location = [str(part) for part in first["loc"]]
    if len(location) < 2:
        return str(first["msg"]).removeprefix("Value error, ").replace("\n", " ")
    key = ".".join(location[:2])
    if first["type"] == "extra_forbidden":
        return f"unknown key '{key}'" + suggestion(key, [spec.key for spec in fields()])
    return refusal(field(key), first.get("input"))
