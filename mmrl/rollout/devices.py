"""Which devices and engines this machine offers, and which of them a run uses. Torch is imported on use only."""

from __future__ import annotations

ENGINES = ("compiled", "tensor")


def available_devices() -> list[str]:
    """Devices present, best last: cpu, then mps or cuda."""
    import torch

    found = ["cpu"]
    if torch.backends.mps.is_available():
        found.append("mps")
    if torch.cuda.is_available():
        found.append("cuda")
    return found


def resolve_device(wanted: str) -> str:
    """The device for auto|cpu|cuda|mps; a ValueError of one line names those present if it is not there."""
    if wanted == "cpu":
        return wanted
    present = available_devices()
    if wanted == "auto":
        return present[-1]
    if wanted not in present:
        raise ValueError(
            f"run.device = {wanted!r} is not available here: use --device auto or one of {', '.join(present)}"
        )
    return wanted


def resolve_engine(wanted: str, device: str) -> str:
    """The engine for auto|compiled|tensor on a resolved device: auto is compiled on the CPU, else tensor."""
    if wanted == "auto":
        return "compiled" if device == "cpu" else "tensor"
    if wanted not in ENGINES:
        raise ValueError(f"run.engine = {wanted!r} is unknown: use auto, {' or '.join(ENGINES)}")
    if wanted == "compiled" and device != "cpu":
        raise ValueError(
            f"run.engine = 'compiled' runs on the CPU, not on {device}: use --engine tensor or --device cpu"
        )
    return wanted
