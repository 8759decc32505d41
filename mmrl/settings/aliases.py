"""Names of settings in other libraries of reinforcement learning, each with the setting that does the same here.

stable-baselines3, CleanRL, RLlib, Spinning Up, tianshou.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

LIKE: Mapping[str, tuple[str, ...]] = {
    "training.lr": ("learning_rate", "pi_lr", "policy_lr", "step_size"),
    "training.lr_end": ("anneal_lr", "lr_decay", "lr_schedule", "lr_final"),
    "training.entropy": ("ent_coef", "entropy_coef", "entropy_coeff", "entropy_weight", "ent_weight"),
    "training.clip": ("clip_range", "clip_coef", "clip_param", "clip_ratio", "eps_clip", "epsilon"),
    "training.lambd": ("gae_lambda", "lambda", "lam", "lambda_", "td_lambda"),
    "training.update_freq": ("n_epochs", "update_epochs", "num_sgd_iter", "n_updates", "ppo_epochs", "train_pi_iters"),
    "training.minibatches": ("num_minibatches", "n_minibatches", "batch_size", "minibatch_size", "sgd_minibatch_size"),
    "training.nb": ("n_envs", "num_envs", "num_episodes", "n_episodes", "episodes", "trajectories", "rollouts"),
    "training.ne": ("total_timesteps", "timesteps", "num_epochs", "epochs", "iterations", "num_iterations", "n_iter"),
    "training.max_grad_norm": ("grad_clip", "gradient_clip", "grad_norm", "clip_grad_norm"),
    "training.target_kl": ("kl_target", "max_kl", "kl_coeff"),
    "training.algorithm": ("algo",),
    "reward.discount": ("discount_factor", "disc"),
    "reward.inventory_penalty": ("inventory_aversion", "phi"),
    "market.name": ("env", "env_id", "environment", "game"),
    "market.nt": ("n_steps", "num_steps", "max_steps", "episode_length", "steps_per_episode", "max_ep_len"),
    "policy.layers": ("n_layers", "num_layers", "hidden_layers"),
    "policy.layer_size": ("hidden_size", "hidden_dim", "hidden_sizes", "net_arch", "units"),
    "policy.log_std": ("log_std_init", "init_log_std", "action_std"),
    "run.seed": ("random_seed", "random_state"),
    "run.threads": ("num_threads", "n_threads", "num_workers", "n_workers", "workers", "n_jobs", "num_cpus"),
    "run.results": ("output_dir", "log_dir", "save_dir", "out_dir", "logdir", "tensorboard_log", "results_dir"),
    "run.name": ("run_name", "exp_name", "experiment", "experiment_name"),
    "run.plot_after": ("save_freq", "plot_freq", "eval_freq", "log_interval"),
}
"""By the setting here, the names that it has elsewhere."""

UNLIKE = {
    "vf_coef": "the value function is fitted by least squares and has no weight in the loss",
    "value_coef": "the value function is fitted by least squares and has no weight in the loss",
    "vf_lr": "the value function is fitted by least squares, without a learning rate",
    "clip_range_vf": "the value function is fitted by least squares, without clipping",
    "normalize_advantage": "advantages are always normalised over the batch",
    "norm_adv": "advantages are always normalised over the batch",
}
"""Names of what there is no setting for here, each with the reason."""

DIFFERS = {
    "batch_size": "how many minibatches a pass has, not their size",
    "minibatch_size": "how many minibatches a pass has, not their size",
    "sgd_minibatch_size": "how many minibatches a pass has, not their size",
    "total_timesteps": "epochs, each of nb trajectories of nt steps",
    "timesteps": "epochs, each of nb trajectories of nt steps",
    "net_arch": "the units of a layer; layers says how many",
    "hidden_sizes": "the units of a layer; layers says how many",
    "anneal_lr": "the share of the learning rate that is left at the end",
    "action_std": "its logarithm",
}
"""Where the setting here is counted in another way."""

ALIKE = 0.92
"""Share of letters that agree: one of twelve may be missing."""
_KEYS = {name: key for key, names in LIKE.items() for name in names}


def meant(name: str) -> tuple[str, str]:
    """The dotted key of the setting that a name of another library stands for, and how it differs; else empty.

    A letter of a long name may be wrong.
    """
    plain = name.lower().lstrip("-").replace("-", "_").rpartition(".")[2]
    close = plain if plain in _KEYS else "".join(difflib.get_close_matches(plain, _KEYS, 1, ALIKE))
    return _KEYS.get(close, ""), DIFFERS.get(close, "")


def missing(name: str) -> str:
    """Why there is no setting for a name of another library; empty for any other name."""
    return UNLIKE.get(name.lower().lstrip("-").replace("-", "_").rpartition(".")[2], "")
