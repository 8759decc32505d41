"""The settings that every run has, in groups, each declared once: default, bounds, help, flags, when it matters.

The command line, the TOML files, the environment variables and the forms are derived from these declarations. A
market's own settings stand in its folder.
"""

from __future__ import annotations

from typing import Literal

from mmrl.settings.declare import Group, option, when

_CUSTOM = when("the utility says what is paid", {"reward.utility": "custom"})
_STEPS_PAY = when("steps pay nothing", {"reward.step_kind": ("wealth", "pnl")})
_PPO = when("the algorithm is reinforce", {"training.algorithm": "ppo"})


LOG_STD_BOUNDS = (-5.0, 2.0)
"""Of the log standard deviation, at the start and while it learns: outside, exploration has died out or drowns all."""


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
        "Reward of a step: scaled change of wealth, mark-to-market profit, or none (then the bonuses for inventory and "
        "time pay nothing either)",
        switches={"--no-immediate": "none", "-ni": "none"},
        applies=_CUSTOM,
    )
    max_dw: float = option(
        3000.0,
        "The wealth reward of a step is the change of wealth divided by this many shares at the mid price",
        applies=when("no wealth reward is paid", {"reward.step_kind": "wealth"}),
        gt=0,
        le=1e12,
    )
    add_inventory: bool = option(
        False,
        "Add the sign of the inventory change, weighted towards the end",
        "--add-inventory",
        "-ai",
        applies=_STEPS_PAY,
    )
    add_time: bool = option(False, "Add a reward for every step survived", "--add-time", "-at", applies=_STEPS_PAY)
    inventory_penalty: float = option(
        0.0,
        "Subtract this times inventory squared times the length of the step",
        applies=when("the utility has no such part", {"reward.utility": ("custom", "inventory-penalty")}),
        ge=0,
        le=1e9,
    )
    final_penalty: float = option(0.0, "Subtract this times the final inventory squared", ge=0, le=1e9)
    damping: float = option(
        0.5,
        "Share of the gains from holding inventory that is taken away",
        applies=when(
            "the utility dampens nothing", {"reward.utility": ("damped", "damped-symmetric", "guo-lin-huang")}
        ),
        ge=0,
        le=1e3,
    )
    size_penalty: float = option(
        0.01,
        "Subtract this times inventory squared each step",
        applies=when("the utility has no such part", {"reward.utility": "guo-lin-huang"}),
        ge=0,
        le=1e9,
    )
    final: Literal["value", "cara", "none"] = option(
        "value", "Reward at the end: value, its CARA utility, or none", applies=_CUSTOM
    )
    risk_aversion: float = option(
        0.1,
        "r of the final utility alpha - exp(-r V); also gamma of mean-variance utility where the market has none",
        applies=when(
            "no risk is weighed by it",
            {"reward.final_kind": "cara"},
            {"market.states_aversion": False, "reward.utility": ("mean-variance", "entropic")},
        ),
        gt=0,
        le=1e3,
    )
    cara_alpha: float = option(
        0.0,
        "alpha of the final utility alpha - exp(-r V)",
        applies=when("the final reward is not cara", {"reward.final_kind": "cara"}),
        ge=-1e12,
        le=1e12,
    )
    always_final: bool = option(
        False,
        "Pay the final reward also when a trajectory ends early",
        "--always-final",
        "-af",
        applies=when("nothing is paid at the end", {"reward.final_kind": ("value", "cara")}),
    )
    time_limit: Literal["ends", "cuts"] = option(
        "ends",
        "Reaching the last step terminates the episode (ends) or truncates it (cuts): then what follows is estimated",
        part="shape",
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
    """The policy network and the distribution of the actions; what an action means is the market's."""

    kind: Literal["gaussian", "categorical"] = option(
        "gaussian", "Distribution of the actions", "--policy", part="shape"
    )
    layers: int = option(2, "Hidden layers of the policy network", "--layers", part="shape", ge=1, le=16)
    layer_size: int = option(16, "Units in a hidden layer", "--layer-size", part="shape", ge=1, le=1024)
    log_std: float = option(
        -0.5,
        "Log standard deviation at the start, in scaled units",
        applies=when("the policy is categorical", {"policy.kind": "gaussian"}),
        part="shape",
        ge=LOG_STD_BOUNDS[0],
        le=LOG_STD_BOUNDS[1],
    )


class Training(Group):
    """How the policy learns."""

    nb: int = option(100, "Trajectories of an epoch", "-nb", "--nb", ge=1, le=1_000_000)
    ne: int = option(100, "Epochs", "-ne", "--ne", ge=1, le=10_000_000)
    lr: float = option(3e-3, "Learning rate", "-lr", "--lr", gt=0, le=1)
    algorithm: Literal["ppo", "reinforce"] = option(
        "ppo", "Policy gradient", switches={"--noppo": "reinforce", "-np": "reinforce"}
    )
    clip: float = option(
        0.2,
        "PPO: the probability ratio is clipped to 1 +- this",
        applies=(_PPO, when("the ratio is not clipped", {"training.noclip": False})),
        gt=0,
        lt=1,
    )
    noclip: bool = option(
        False,
        "PPO: do not clip the probability ratio; a KL divergence (target_kl) bounds the update instead",
        "--noclip",
        "-nc",
        applies=when("the algorithm is reinforce", {"training.algorithm": "ppo"}, refused=False),
    )
    noadv: bool = option(False, "Learn from plain returns, without a value function", "--noadv", "-na", part="shape")
    td: bool = option(False, "TD(lambda) returns instead of Monte Carlo", "-td", "--td")
    lambd: float = option(
        0.999,
        "lambda of TD(lambda)",
        "--lambd",
        applies=when("TD(lambda) returns are off", {"training.td": True}),
        ge=0,
        le=1,
    )
    update_freq: int = option(
        5,
        "PPO: passes over the trajectories of an epoch (REINFORCE takes one step, by the whole batch)",
        "--update-freq",
        "-uf",
        applies=_PPO,
        ge=1,
        le=1000,
    )
    minibatches: int = option(4, "PPO: minibatches in a pass", applies=_PPO, ge=1, le=10_000)
    entropy: float = option(0.0, "Weight of the entropy bonus", ge=0, le=10)
    max_grad_norm: float = option(0.5, "Gradients are clipped to this norm", gt=0, le=1e6)
    target_kl: float = option(
        0.0,
        "PPO: stop moving the policy in an epoch where a minibatch shows a KL divergence above this, 0: never; without "
        "clipping 0 means 0.01",
        applies=_PPO,
        ge=0,
        le=100,
    )
    lr_end: float = option(
        1.0,
        "The learning rate falls in a straight line to this share of itself at the last epoch; in a run that is "
        "expanded or shortened from where it is",
        gt=0,
        le=1,
    )


class Run(Group):
    """Where and how the run is carried out."""

    seed: int = option(0, "Seed of every random stream", "--seed", ge=0, le=2**63 - 1)
    device: Literal["auto", "cpu", "cuda", "mps"] = option("auto", "Device to learn on", "--device")
    engine: Literal["auto", "compiled", "cuda", "tensor"] = option("auto", "Simulation engine", "--engine")
    threads: int = option(0, "CPU threads, 0: all cores", "--threads", ge=0, le=4096)
    reproducible: bool = option(
        False,
        "Same results to the bit on every x86-64 CPU with AVX2, for the same versions and number of threads",
        "--reproducible",
        part="arithmetic",
    )
    plot_after: int = option(
        20,
        "Write an episode profile every so many epochs, 0: never",
        "--plot-after",
        "-pa",
        ge=0,
        le=10_000_000,
    )
    name: str = option("", "Name of the run, empty: made from the settings", "--name", max_length=128)
    results: str = option("results", "Folder of the run folders", "--results", min_length=1, max_length=4096)


REST: dict[str, type[Group]] = {"reward": Reward, "policy": Policy, "training": Training, "run": Run}
"""The groups beside the market's."""
