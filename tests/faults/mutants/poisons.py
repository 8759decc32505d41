"""Numbers that are none, in the third epoch."""

from __future__ import annotations

from typing import Any


def _poisoned(poison: Any) -> None:
    """Let `poison(trainer, batch)` spoil the third epoch, and note every step of the optimiser from then on."""
    from mmrl.learn.trainer import Trainer

    rollout = Trainer.rollout

    def spoiled(self: Any, epoch: int) -> Any:
        batch = rollout(self, epoch)
        if epoch == 3:
            poison(self, batch)
            step = self.optimiser.step

            def noted(*arguments: Any) -> Any:
                print("OPTIMISER STEPPED", flush=True)
                return step(*arguments)

            self.optimiser.step = noted
        return batch

    Trainer.rollout = spoiled  # type: ignore[method-assign]


def nan_weight() -> None:
    """A parameter of the policy is no number."""

    def poison(trainer: Any, batch: Any) -> None:
        trainer.policy.numbers[0] = float("nan")

    _poisoned(poison)


def nan_value_weight() -> None:
    """A weight of the value function is no number."""

    def poison(trainer: Any, batch: Any) -> None:
        trainer.value.weight[0], trainer.value.fits = float("inf"), 1

    _poisoned(poison)


def exploding_reward() -> None:
    """Rewards whose sum no float holds."""
    _poisoned(lambda trainer, batch: batch.reward.__imul__(1e308))


def nan_reward() -> None:
    """One reward is no number."""
    _poisoned(lambda trainer, batch: batch.reward.__setitem__(0, float("nan")))


def impossible_action() -> None:
    """The log probability of an action is minus infinity."""
    _poisoned(lambda trainer, batch: batch.log_prob.__setitem__(0, float("-inf")))


def huge_rate() -> None:
    """A learning rate beyond all bounds: the step is made of good numbers, and what it leaves is none."""
    from mmrl.learn.trainer import Trainer

    set_rates = Trainer._set_rates

    def rates(self: Any) -> float:
        rate = set_rates(self)
        if self.epoch == 2:
            self.optimiser.rate = 1e38
        return rate

    Trainer._set_rates = rates  # type: ignore[method-assign]


def no_finite_check() -> None:
    """Learn on, whatever the numbers are."""
    from mmrl.learn import update

    update._check_finite = lambda what, named: None  # type: ignore[attr-defined]


def nan_weight_unchecked() -> None:
    """The mutant: the same without the check."""
    no_finite_check()
    from mmrl.learn import update

    update.np.isfinite = lambda number: True  # type: ignore[attr-defined]
    nan_weight()
