"""Padding of token arrays."""

from __future__ import annotations

__all__ = ["PAD"]

#: Stands behind the last token of a short window.
PAD = -1
