"""Devices that a model can be run on, and how precisely matrices are multiplied there."""

from __future__ import annotations

import torch

from n2gdb.errors import ModelError

__all__ = ["PRECISIONS", "device_of", "require_precision", "set_precision"]

#: How matrices can be multiplied.
PRECISIONS = ("float32", "tf32", "bfloat16")


def device_of(name: str) -> torch.device:
    """The device that is called auto, cpu, cuda or mps; raise ModelError where it is not there."""
    from transformer_lens.utilities import get_device

    if name == "auto":
        return torch.device(get_device())
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name not in available:
        raise ModelError(f"no device is called {name!r}: choose auto, cpu, cuda or mps")
    if not available[name]:
        raise ModelError(f"this machine has no {name} device that torch can use: choose auto or cpu")
    return torch.device(name)


def require_precision(precision: str, device: torch.device) -> None:
    """Raise ModelError for a precision that there is not, or not on the device."""
    if precision not in PRECISIONS:
        raise ModelError(f"no precision is called {precision!r}: choose {', '.join(PRECISIONS)}")
    if precision == "tf32" and device.type != "cuda":
        raise ModelError(f"tf32 is for NVIDIA GPUs: on {device.type} choose float32 or bfloat16")


def set_precision(precision: str) -> None:
    """Have torch multiply float32 matrices as precisely as asked, one of PRECISIONS."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
