"""By what a training computes beside its settings, as its manifest records it."""

from __future__ import annotations

from typing import Any


def versions_of(trainer: Any) -> dict[str, Any]:
    """Everything beside the settings that must be equal for a bit-exact resume."""
    import platform

    import numba
    import numpy

    import mmrl
    from mmrl.rollout.devices import cpu

    model = trainer.attempts.get("model of the CPU", cpu, "unknown")
    return {
        "mmrl": mmrl.__version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "numba": numba.__version__,
        "threads": trainer.threads,
        "processes": trainer.processes,
        "engine": trainer.engine.name,
        "device": trainer.device,
        "cpu": model,
        **_torch_of(trainer),
    }


def _torch_of(trainer: Any) -> dict[str, str]:
    """The version of torch where it computes."""
    if not trainer.by_torch:
        return {}
    import torch

    return {"torch": torch.__version__}
