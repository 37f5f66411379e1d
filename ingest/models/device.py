"""Devices that models run on, and how precisely torch multiplies matrices there."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

import torch

from n2gdb.errors import ModelError

__all__ = ["PRECISIONS", "device_named", "quiet", "set_precision"]

#: How matrices can be multiplied.
PRECISIONS = ("float32", "tf32", "bfloat16")


def device_named(name: str) -> torch.device:
    """Return a device of torch by its name, or the best one for ``auto``; raise ModelError for another."""
    from transformer_lens.utilities import get_device

    if name == "auto":
        return torch.device(get_device())
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name not in available:
        raise ModelError(f"no device is called {name!r}: choose auto, cpu, cuda or mps")
    if not available[name]:
        raise ModelError(f"this machine has no {name} device that torch can use: choose auto or cpu")
    return torch.device(name)


def set_precision(precision: str, device: torch.device) -> None:
    """Have torch multiply float32 matrices as precisely as asked; raise ModelError for what is not there."""
    if precision not in PRECISIONS:
        raise ModelError(f"no precision is called {precision!r}: choose {', '.join(PRECISIONS)}")
    if precision == "tf32" and device.type != "cuda":
        raise ModelError(f"tf32 is for NVIDIA GPUs: on {device.type} choose float32 or bfloat16")
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the chatter of loading off the terminal: progress bars, advice, deprecations."""
    import logging

    from transformers.utils import logging as chatter

    level = logging.root.manager.disable
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        chatter.disable_progress_bar()
        try:
            yield
        finally:
            chatter.enable_progress_bar()
            logging.disable(level)
