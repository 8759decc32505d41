"""The best grade of a run in its checkpoints, with what grades must have in common to be compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmrl.evaluate.grade import Grade
from mmrl.settings.model import Config


def judged_by(config: Config) -> dict[str, Any]:
    """What grades must have in common to be compared."""
    return config.model_dump(mode="json", include={"market", "reward"})


def best_state(best: Grade | None, epoch: int, judged: dict[str, Any]) -> dict[str, Any] | None:
    """What a checkpoint keeps of the best grade so far, of that epoch, `judged` by this."""
    if best is None:
        return None
    scores = None if best.scores is None else best.scores.tolist()
    return {"epoch": epoch, "value": best.value, "optimality": best.optimality, "scores": scores, "judged_by": judged}


def best_from(state: Any, judged: dict[str, Any]) -> tuple[Grade | None, int]:
    """The grade and the epoch that `best_state` kept; none in a checkpoint of an earlier version, which went by mean
    value, and none that another market or reward gave."""
    if not isinstance(state, dict) or state.get("judged_by") != judged:
        return None, 0
    scores = None if state["scores"] is None else np.array(state["scores"])
    return Grade(state["value"], state["optimality"], scores), int(state["epoch"])
