"""Which devices and engines this machine offers, and which of them a run uses. Torch is imported on use only."""

from __future__ import annotations

from mmrl.settings.model import Config
from mmrl.settings.registry import packages


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


def tensor_lacks(config: Config) -> str:
    """What of a config's market the tensor engine has not, as a line for the user; empty if it has all."""
    from importlib.util import find_spec

    from mmrl.markets.contract import spec_of

    market = config.market.name
    if find_spec(f"{packages()[market]}.tensor") is None:
        return f"market {market} is not in the tensor engine: use --engine compiled"
    return spec_of(config).tensor_lacks


def require_tensors(config: Config) -> None:
    """Raise ValueError of one line where the tensor engine cannot simulate the market of a config."""
    lacking = tensor_lacks(config)
    if lacking:
        raise ValueError(lacking)


def resolve(config: Config) -> tuple[str, str]:
    """(engine, device) of a config: by itself compiled on a CPU, tensor on an accelerator.

    A device that is left open is the CPU where the compiled engine is asked for or alone knows the market's rules.
    Raises ValueError of one line for what is not there.
    """
    engine: str = config.run.engine
    device: str = config.run.device
    lacking = tensor_lacks(config)
    if device == "auto" and (engine == "compiled" or (engine == "auto" and lacking)):
        device = "cpu"
    device = resolve_device(device)
    if engine == "auto":
        engine = "compiled" if device == "cpu" else "tensor"
    if engine == "compiled" and device != "cpu":
        raise ValueError(
            f"run.engine = 'compiled' runs on the CPU, not on {device}: use --engine tensor or --device cpu"
        )
    if engine == "tensor" and lacking:
        raise ValueError(lacking)
    return engine, device
